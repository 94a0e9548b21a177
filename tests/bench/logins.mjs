// One login with pg, dialled, checked and closed: through lakekey, and with a password that it was given once.

import { readFileSync } from "node:fs";

import { Client } from "lakekey";
import { poolConfig } from "lakekey/pg";
import pg from "pg";

import { medians, row, ROUNDS } from "./figures.mjs";

const LOGINS = 10;

const client = new Client();
const { Client: Rotating, ...rotating } = poolConfig({ client });
const params = await client.connectParams();
const fixed = {
  host: params.hostaddr?.split(",")[0] ?? params.host,
  port: Number(params.port),
  user: params.user,
  database: params.dbname,
  password: params.password,
  ssl: { servername: params.host, ca: readFileSync(params.sslrootcert) },
};

async function milliseconds(make) {
  const begun = performance.now();
  for (let login = 0; login < LOGINS; login += 1) {
    const connection = make();
    await connection.connect();
    await connection.end();
  }
  return (performance.now() - begun) / LOGINS;
}

const [ours, theirs] = await medians(
  ROUNDS * 2,
  () => milliseconds(() => new Rotating(rotating)),
  () => milliseconds(() => new pg.Client(fixed)),
);
row("a login with pg", "ms", ours, "pg, static password", theirs, { ratio: 1.03 });
