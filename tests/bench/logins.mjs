// One login with pg, dialled, checked and closed: through lakekey, and with a password that it was given once.

import { readFileSync } from "node:fs";

import { Client } from "lakekey";
import { poolConfig } from "lakekey/pg";
import pg from "pg";

import { median, row, ROUNDS } from "./figures.mjs";

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

// How long one takes, and how much of this process's work: the rest is waited for, which other programs disturb.
async function milliseconds(make) {
  const [begun, before] = [performance.now(), process.cpuUsage()];
  for (let login = 0; login < LOGINS; login += 1) {
    const connection = make();
    await connection.connect();
    await connection.end();
  }
  const { user, system } = process.cpuUsage(before);
  return { took: (performance.now() - begun) / LOGINS, worked: (user + system) / 1000 / LOGINS };
}

const figures = { took: [[], []], worked: [[], []] };
const makers = [() => new Rotating(rotating), () => new pg.Client(fixed)];
for (let round = 0; round <= ROUNDS * 2; round += 1) {
  for (const [index, make] of makers.entries()) {
    const figure = await milliseconds(make);
    // The first round warms caches.
    if (round > 0) for (const name of ["took", "worked"]) figures[name][index].push(figure[name]);
  }
}
for (const [name, what] of [["took", "a login with pg"], ["worked", "CPU time of a login with pg"]]) {
  const [ours, theirs] = figures[name].map(median);
  row(what, "ms", ours, "pg, static password", theirs, { ratio: 1.03 });
}
