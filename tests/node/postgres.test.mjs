// `lakekey/postgres`: postgres.js, whose own password function must never fail.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { ConfigError, LakekeyError } from "lakekey";
import { createSql, sqlOptions } from "lakekey/postgres";
import postgres from "postgres";

import { emulated, rejection, TARGET, until } from "./emulator.mjs";

const emulator = emulated();
const opened = [];
function sql(options = {}) {
  const made = createSql({ client: emulator.client(), max: 4, ...options });
  opened.push(made);
  return made;
}

beforeEach(async () => {
  await Promise.all(opened.splice(0).map((made) => made.end({ timeout: 1 })));
  await emulator.reset();
});
after(() => Promise.all(opened.map((made) => made.end({ timeout: 1 }))));

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => assert.deepEqual(unhandled, [], "a promise was rejected with nobody waiting"));

test("queries run as the token's identity, over one mint", async () => {
  const mine = sql();
  const answers = await Promise.all(Array.from({ length: 20 }, () => mine`select current_user as me`));
  assert.ok(answers.every(([row]) => row.me === emulator.ready.env.PGUSER));
  assert.equal((await emulator.counters()).mints, 1);
});

test("sqlOptions serves the user's own copy of postgres.js", async () => {
  const mine = postgres(sqlOptions({ client: emulator.client(), endpoint: TARGET, max: 1 }));
  opened.push(mine);
  assert.equal((await mine`select 1 as one`)[0].one, 1);
});

test("no login fails while tokens rotate under load", async () => {
  await emulator.tokens({ ttl_s: 5 });
  const mine = sql({ max_lifetime: 1 });
  const end = performance.now() + 10_000;
  const work = async () => {
    while (performance.now() < end) await mine`select pg_sleep(0.02)`;
  };
  await Promise.all(Array.from({ length: 4 }, work));
  const counters = await emulator.counters();
  assert.equal(counters.logins_refused, 0);
  assert.ok(counters.mints >= 2 && counters.logins_accepted > 8, JSON.stringify(counters));
});

test("a token function that fails is the query's error, and the process lives", async () => {
  const tokenProvider = async () => {
    throw new RangeError("no token today");
  };
  const mine = sql({ client: emulator.client({ tokenProvider }) });
  const error = await rejection(mine`select 1`);
  assert.ok(error instanceof LakekeyError, error);
  assert.equal(error.slug, "AUTH_CALLBACK");
  assert.ok(error.cause instanceof RangeError);
});

test("an outage is the query's error, and ends", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "status", status: 503 });
  const mine = sql({ client: emulator.client({ timeoutMillis: 1000 }) });
  const error = await rejection(mine`select 1`);
  assert.ok(error instanceof LakekeyError && error.retryable, error);
  await emulator.clearFaults();
  // The next mint waits a moment after failed ones.
  await until(() => mine`select 1`.then(() => true, () => false));
});

test("more failed logins than connections leave none of them stuck", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "status", status: 503 });
  const mine = sql({ client: emulator.client({ timeoutMillis: 100 }), max: 2, backoff: () => 0 });
  for (let attempt = 0; attempt < 8; attempt++) {
    assert.ok((await rejection(mine`select 1`)) instanceof LakekeyError);
  }
  await emulator.clearFaults();
  await until(() => mine`select 1`.then(() => true, () => false));
});

test("a refused token from the cache is not used again", async () => {
  const mine = sql({ max: 1, max_lifetime: 1 });
  await mine`select 1`;
  await emulator.admin("POST", "/connections/kill", { how: "57P01" });
  await emulator.tokens({ rotate_key: true });
  let refused = 0;
  for (let attempt = 0; attempt < 5; attempt++) {
    const outcome = await mine`select 1`.then(
      () => undefined,
      (error) => error,
    );
    if (outcome === undefined) break;
    refused += outcome.code === "28P01" ? 1 : 0;
  }
  assert.equal((await mine`select 1 as one`)[0].one, 1);
  const counters = await emulator.counters();
  assert.equal(counters.mints, 2, JSON.stringify(counters));
  assert.ok(refused <= 1 && counters.logins_refused === 1, JSON.stringify(counters));
});

test("the server is verified by name", async () => {
  const mine = sql({ sslrootcert: "system" });
  const error = await rejection(mine`select 1`);
  assert.equal(error.explanation.kind, "tls");
  assert.match(error.cause.code, /UNABLE_TO_VERIFY|SELF_SIGNED|DEPTH_ZERO/);
});

test("nobody listening at the address is the query's error", async () => {
  const mine = sql({ port: 1, connect_timeout: 2 });
  const error = await rejection(mine`select 1`);
  assert.deepEqual([error.slug, error.explanation.kind], ["LOGIN_UNAVAILABLE", "tcp"]);
  assert.match(String(error.cause.code), /ECONNREFUSED|CONNECT_TIMEOUT/);
});

test("what lakekey decides cannot be given", () => {
  for (const name of ["host", "password", "pass", "socket", "ssl", "path"]) {
    assert.throws(
      () => sql({ [name]: "planted-secret" }),
      (error) => error instanceof ConfigError && error.message.includes(name) && !/planted/.test(error.message),
    );
  }
  assert.throws(() => sql({ sslmode: 7 }), ConfigError);
});
