// Logins that fail: which are tried again, which are told at once, and what is said of them.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { Client, explain, LoginError } from "lakekey";
import { createPool, LoginRefused } from "lakekey/pg";
import { createSql } from "lakekey/postgres";
import pg from "pg";

import { emulated, rejection, TARGET } from "./emulator.mjs";

const emulator = emulated();
const opened = [];

/** A query through each driver. */
const drivers = {
  pg(options = {}) {
    const { limitMillis, ...own } = options;
    const pool = createPool({ client: emulator.client(), ...own, ...(limitMillis && { connectionTimeoutMillis: limitMillis }) });
    opened.push(() => pool.end());
    return async () => (await pool.query("select current_user as me")).rows[0].me;
  },
  "postgres.js"(options = {}) {
    const { limitMillis, ...own } = options;
    const sql = createSql({ client: emulator.client(), max: 2, ...own, ...(limitMillis && { connect_timeout: limitMillis / 1000 }) });
    opened.push(() => sql.end({ timeout: 1 }));
    return async () => (await sql`select current_user as me`)[0].me;
  },
};

beforeEach(async () => {
  await Promise.all(opened.splice(0).map((end) => end()));
  await emulator.reset();
});
after(() => Promise.all(opened.map((end) => end())));

const endpoint = (change) => emulator.admin("POST", `/endpoints/${TARGET}`, change);
const refuseAtTheDoor = (reason, rule = {}) =>
  emulator.admin("POST", "/faults", { action: { kind: "external_authorization", ...(reason && { reason }) }, ...rule });

for (const [name, driver] of Object.entries(drivers)) {
  const refusedWithin = async (milliseconds, query) => {
    const began = performance.now();
    const error = await rejection(query());
    const took = performance.now() - began;
    assert.ok(took < milliseconds, `${took} ms: ${error}`);
    assert.ok(error instanceof LoginError, error);
    return error;
  };

  test(`${name}: a refused token from the cache earns one mint and one more login`, async () => {
    const client = new Client(emulator.client());
    await client.token();
    await emulator.tokens({ rotate_key: true });
    assert.equal(await driver({ client })(), emulator.ready.env.PGUSER);
    const counters = await emulator.counters();
    assert.deepEqual([counters.mints, counters.logins_refused, counters.logins_accepted], [2, 1, 1]);
  });

  test(`${name}: a door that refuses for a while is waited out`, async () => {
    await refuseAtTheDoor(undefined, { times: 4 });
    assert.equal(await driver()(), emulator.ready.env.PGUSER);
    const counters = await emulator.counters();
    assert.deepEqual([counters.mints, counters.logins_refused], [1, 4]);
  });

  test(`${name}: a compute that fails to wake twice is waited for`, async () => {
    await endpoint({ action: "suspend", wake_fail: 2 });
    assert.equal(await driver()(), emulator.ready.env.PGUSER);
  });

  test(`${name}: an access list, a disabled endpoint and a missing role are told at once, with the fix`, async () => {
    const warm = new Client(emulator.client());
    await warm.connectParams();
    await refuseAtTheDoor("Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 42");
    // Some tens of milliseconds on a machine that has nothing else to do.
    let error = await refusedWithin(5000, driver({ client: warm }));
    assert.ok(error instanceof LoginRefused && error.explanation.kind === "ip_blocked", error);
    assert.match(error.hint, /192\.0\.2\.7/);
    await emulator.clearFaults();
    error = await refusedWithin(5000, driver({ client: warm, user: "nobody@example.com" }));
    assert.equal(error.explanation.kind, "role_missing");
    assert.match(error.hint, /databricks_create_role\('nobody@example\.com', 'USER'\)/);
    await endpoint({ action: "disable" });
    try {
      error = await refusedWithin(5000, driver({ client: warm }));
      assert.equal(error.explanation.kind, "endpoint_disabled");
      const { logins_accepted, logins_refused } = await emulator.counters();
      assert.equal(logins_accepted, 0);
      assert.ok(logins_refused <= 4, `${logins_refused} logins for three refusals`);
    } finally {
      await endpoint({ action: "enable" });
    }
  });

  test(`${name}: a budget that ends is told with its kind, what happened, and the driver's error`, async () => {
    await refuseAtTheDoor();
    const error = await refusedWithin(8000, driver({ limitMillis: 1500 }));
    assert.deepEqual([error.slug, error.retryable], ["LOGIN_UNAVAILABLE", true]);
    assert.match(error.message, /no login within 1\.\d s and \d+ attempts.*External authorization failed/s);
    assert.ok(error.events.some((event) => /attempt 1 at 127\.0\.0\.1 failed/.test(event)), error.events);
    assert.match(error.cause.message, /External authorization failed/);
    assert.equal(explain(error).kind, error.explanation.kind);
    const shown = JSON.stringify([error.message, error.events, error.stack]);
    assert.ok(!shown.includes("eyJ") && !shown.includes(emulator.ready.env.DATABRICKS_TOKEN), shown);
  });
}

test("a crowd of postgres.js connections logs in through a door that refuses every second time", async () => {
  await refuseAtTheDoor(undefined, { probability: 0.5 });
  const sql = createSql({ client: emulator.client(), max: 10 });
  opened.push(() => sql.end({ timeout: 1 }));
  const rows = await Promise.all(Array.from({ length: 30 }, (_, n) => sql`select ${n}::int as n, pg_sleep(0.02)`));
  assert.deepEqual(rows.map(([{ n }]) => n), [...Array(30).keys()]);
  assert.equal((await emulator.counters()).mints, 1);
});

test("a long query of postgres.js is cancelled over its own connection", async () => {
  const sql = createSql({ client: emulator.client(), max: 1 });
  opened.push(() => sql.end({ timeout: 1 }));
  await sql`select 1`;
  const slow = sql`select pg_sleep(30)`;
  const ended = rejection(slow);
  setTimeout(() => slow.cancel(), 200);
  assert.equal((await ended).code, "57014");
});

test("errors of drivers and of the system are explained", async () => {
  const { PGHOSTADDR: address, PGPORT: port } = emulator.ready.env;
  const raw = async (changes) => {
    const client = new pg.Client({ host: address, port: Number(port), user: "x", password: "y", database: "z", ...changes });
    client.on("error", () => undefined);
    return explain(await rejection(client.connect()));
  };
  assert.deepEqual([(await raw({ port: 1 })).kind, (await raw({ port: 1 })).retry], ["tcp", true]);
  assert.equal((await raw({})).kind, "tls", "a start without TLS");
  assert.equal((await raw({ host: "no-such-host.invalid" })).kind, "dns");
  const wrapped = new Error("while opening the shop", { cause: Object.assign(new Error("x"), { code: "3D000" }) });
  assert.equal(explain(wrapped).kind, "database_missing");
  assert.equal(explain(new Error("relation \"x\" does not exist")).kind, "unknown");
  for (const odd of [undefined, null, 7, "text", {}, Object.create(null)]) assert.equal(explain(odd).kind, "unknown");
});

test("what happened is counted", async () => {
  const client = new Client(emulator.client());
  const before = client.stats();
  await drivers.pg({ client })();
  await client.token();
  await rejection(drivers.pg({ client, database: "nope" })());
  const stats = client.stats();
  const more = (name) => stats.counters[name] - before.counters[name];
  assert.equal(more("mints"), 1);
  assert.equal(more("logins"), 1);
  assert.ok(more("login_attempts") >= 2 && more("cache_hits") >= 1 && more("waits") >= 1);
  assert.equal((stats.loginFailures.database_missing ?? 0) - (before.loginFailures.database_missing ?? 0), 1);
  const { bounds, counts, count, sum } = stats.histograms.mint_ms;
  assert.ok(counts.length === bounds.length + 1 && count === counts.reduce((one, other) => one + other) && sum >= 0);
  assert.equal(typeof stats.clockSkewMillis, "number");
  assert.ok(client.recentEvents().some((event) => event.includes("minted a credential")));
});
