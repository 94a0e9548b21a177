// The app that demo and soak watch: workers that share one pool from `createPool` of `lakekey/pg`.
//
// It is an ordinary app but for two things: its pool recycles connections after a second, so that many logins happen, and
// it tells how it goes, as `telling.mjs` says.

import { createPool } from "lakekey/pg";

import { client, counts, live, NoLogin, PATIENCE_S, RECYCLE_S, saw, STATEMENT, version, WORKERS } from "./telling.mjs";

const pool = createPool({
  client,
  max: WORKERS,
  maxLifetimeSeconds: RECYCLE_S,
  idleTimeoutMillis: RECYCLE_S * 1000,
  connectionTimeoutMillis: PATIENCE_S * 1000,
});
// Each new connection of the pool: which token it logged in with.
pool.on("connect", (connection) => {
  counts.logins += 1;
  saw(connection.password);
  // One that ends while it is lent says so in the query's error too.
  connection.on("error", () => {});
});
pool.on("error", () => {});

async function attempt(number) {
  const connection = await pool.connect().catch((cause) => {
    throw new NoLogin("pg", { cause });
  });
  try {
    const { rows } = await connection.query(STATEMENT, [number]);
    return rows[0].number;
  } finally {
    connection.release();
  }
}

await live({
  driver: `pg ${version("pg")} with pg-pool ${version("pg-pool")}`,
  attempt,
  connections: () => pool.totalCount,
  end: () => pool.end(),
});
