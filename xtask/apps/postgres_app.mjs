// The app that soak watches: workers that share one `sql` from `createSql` of `lakekey/postgres`. It tells how it goes, as
// `telling.mjs` says.

import { LakekeyError } from "lakekey";
import { createSql } from "lakekey/postgres";

import { client, counts, live, NoLogin, PATIENCE_S, RECYCLE_S, saw, STATEMENT, version, WORKERS } from "./telling.mjs";

const sql = createSql({
  client,
  max: WORKERS,
  max_lifetime: RECYCLE_S,
  idle_timeout: RECYCLE_S,
  connect_timeout: PATIENCE_S,
  // What asks for them after a login ends the process when the session ends just then: nobody takes its rejection.
  fetch_types: false,
  // It would print them where our figures go.
  onnotice: () => {},
});
// postgres.js says nothing of its logins; a backend that was not there before is one. Old ones are forgotten.
const backends = new Set();

async function attempt(number) {
  const rows = await sql.unsafe(`${STATEMENT}, pg_backend_pid() as backend`, [number]).catch((cause) => {
    const login = cause instanceof LakekeyError || cause.code === "CONNECT_TIMEOUT";
    throw login ? new NoLogin("postgres.js", { cause }) : cause;
  });
  const [{ number: answer, backend }] = rows;
  if (!backends.has(backend)) {
    counts.logins += 1;
    backends.add(backend);
    for (const old of backends) if (backends.size > 4 * WORKERS) backends.delete(old);
    saw(await client.token());
  }
  return answer;
}

await live({
  driver: `postgres.js ${version("postgres")}`,
  attempt,
  connections: () => 0,
  end: () => sql.end({ timeout: 5 }),
});
