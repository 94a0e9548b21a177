// What the Node apps of demo and soak are besides their driver: they count, they tell how it goes, they take commands.
//
// Every half second an app tells its figures, one JSON object a line, and each failure when it happens. Commands come on
// stdin: `pause` (let every connection go, and wait for the next token), `resume`, `stop`. With `APP_ROWS` in the
// environment an app writes its numbers as rows under that name instead of asking for them back: each number once, whatever
// becomes of it, so that afterwards the table can be compared with what the app was told.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "lakekey";

const ROWS = process.env.APP_ROWS;
export const STATEMENT = ROWS
  ? `insert into soak.row (app, number) values ('${ROWS}', $1) returning number::int, current_user`
  : "select $1::int as number, current_user";
export const WORKERS = ROWS ? 3 : 6;
export const RECYCLE_S = 0.8;
// Longer than the budget of a connect, so that its own error is the one that is seen.
export const PATIENCE_S = 45;
const REST_MS = ROWS ? 30 : 10;

export const client = new Client();
export const counts = { attempts: 0, logins: 0, failed_logins: 0, queries: 0, failed_queries: 0 };
const tokens = new Set();
let [running, ended] = [true, false];

export function saw(token) {
  tokens.add(createHash("sha256").update(token).digest("hex"));
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** A failure of a login, as `attempt` throws it. */
export class NoLogin extends Error {}

async function work(attempt) {
  while (!ended) {
    if (!running) {
      await sleep(100);
      continue;
    }
    const number = ++counts.attempts;
    const began = performance.now();
    try {
      const answer = await attempt(number);
      if (answer !== number) throw new Error(`asked for ${number}, got ${answer}`);
      counts.queries += 1;
    } catch (error) {
      const login = error instanceof NoLogin;
      const { name, message } = login ? error.cause : error;
      counts.failed_queries += 1;
      counts.failed_logins += login ? 1 : 0;
      const waited = (performance.now() - began) / 1000;
      say({ failure: `${name}: ${message}`, number, login, waited_s: waited });
    }
    await sleep(REST_MS);
  }
}

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

export const version = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;

/** Runs until it is told to stop. `attempt(number)` logs in, queries and gives the number back. */
export async function live({ driver, attempt, connections, end }) {
  const figures = () => ({ ...counts, tokens: tokens.size, connections: connections() });
  const workers = Array.from({ length: WORKERS }, () => work(attempt));
  const teller = setInterval(() => say(figures()), 500);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "stop") break;
    running = line === "resume";
    if (!running) await settle();
  }
  ended = true;
  clearInterval(teller);
  await Promise.all(workers);
  const last = figures();
  await end();
  client.close();
  say({ done: true, driver, ...last });
  process.stdin.destroy();
}
