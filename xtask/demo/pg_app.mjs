// The app that the demo watches beside the psycopg one: workers that share one pool from `createPool` of `lakekey/pg`.
//
// It is an ordinary app but for two things: its pool recycles connections after a second, so that many logins happen, and
// it tells every half second how it goes, one JSON object a line. Commands come on stdin: `pause` (and let every connection
// go), `resume`, `stop`.

import { createHash, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "lakekey";
import { createPool } from "lakekey/pg";

const WORKERS = 6;
const RECYCLE_S = 0.8;

const counts = { logins: 0, failed_logins: 0, queries: 0, failed_queries: 0 };
const tokens = new Set();
let [running, ended] = [true, false];

const client = new Client();
const pool = createPool({
  client,
  max: WORKERS,
  maxLifetimeSeconds: RECYCLE_S,
  idleTimeoutMillis: RECYCLE_S * 1000,
  connectionTimeoutMillis: 10_000,
});
// Each new connection of the pool: which token it logged in with.
pool.on("connect", (connection) => {
  counts.logins += 1;
  saw(connection.password);
});

function saw(token) {
  tokens.add(createHash("sha256").update(token).digest("hex"));
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function failed(error) {
  counts.failed_queries += 1;
  say({ failure: `${error.name}: ${error.message}` });
}

async function work() {
  while (!ended) {
    if (!running) {
      await sleep(100);
      continue;
    }
    const number = randomInt(1_000_000);
    let connection;
    try {
      connection = await pool.connect();
    } catch (error) {
      counts.failed_logins += 1;
      failed(error);
      continue;
    }
    try {
      const { rows } = await connection.query("select $1::int as number, current_user", [number]);
      if (rows[0].number !== number) throw new Error(`asked for ${number}, got ${rows[0].number}`);
      counts.queries += 1;
    } catch (error) {
      failed(error);
    } finally {
      connection.release();
    }
    await sleep(10);
  }
}

const figures = () => ({ ...counts, tokens: tokens.size, connections: pool.totalCount });

// Waits for the next token. Right after a rotation none is due, so that a quiet app leaves no token behind that nobody saw,
// and what the emulator minted and what this app saw can be compared.
async function settle() {
  const last = await client.token();
  saw(last);
  const deadline = performance.now() + 60_000;
  let token = last;
  while ((token = await client.token()) === last) {
    if (performance.now() > deadline) throw new Error("the token did not rotate within a minute");
    await sleep(20);
  }
  saw(token);
}

const workers = Array.from({ length: WORKERS }, work);
const teller = setInterval(() => say(figures()), 500);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "stop") break;
  running = line === "resume";
  if (!running) await settle();
}
ended = true;
clearInterval(teller);
await Promise.all(workers);
await settle();
const last = figures();
await pool.end();
client.close();
const version = (name) => JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
say({ done: true, driver: `pg ${version("pg")} with pg-pool ${version("pg-pool")}`, ...last });
process.stdin.destroy();
