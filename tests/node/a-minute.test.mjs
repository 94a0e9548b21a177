// A minute of logins while tokens of five seconds rotate. Named so that it starts first and the other files run beside it.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { createPool } from "lakekey/pg";

import { emulated } from "./emulator.mjs";

const MINUTE = 60_000;
const LIFETIME_SECONDS = 5;

const emulator = emulated();
const pools = [];
after(() => Promise.all(pools.map((pool) => pool.end())));

test("no login fails in a minute of load while 5 s tokens rotate", async () => {
  await emulator.tokens({ ttl_s: LIFETIME_SECONDS });
  const client = emulator.client();
  for (let number = 0; number < 2; number++) pools.push(createPool({ client, max: 2, maxLifetimeSeconds: 0.5 }));
  const failures = [];
  let answers = 0;
  const end = performance.now() + MINUTE;
  const work = async (pool) => {
    while (performance.now() < end) {
      await pool.query("select pg_sleep(0.02)").then(
        () => answers++,
        (error) => failures.push(error),
      );
    }
  };
  await Promise.all(pools.flatMap((pool) => [work(pool), work(pool)]));
  assert.deepEqual(failures, []);
  const counters = await emulator.counters();
  assert.equal(counters.logins_refused, 0);
  // A connection lives half a second: without rotation the logins after the first five would be refused.
  assert.ok(counters.logins_accepted > 120, JSON.stringify(counters));
  assert.ok(answers > 1000, `${answers} answers`);
  const fewest = MINUTE / (LIFETIME_SECONDS * 1000);
  assert.ok(counters.mints >= fewest && counters.mints <= 4 * fewest, JSON.stringify(counters));
});
