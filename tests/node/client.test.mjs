// `lakekey`: the client, its errors, and how it behaves inside a process.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { after, beforeEach, test } from "node:test";

import * as lakekey from "lakekey";

import { emulated, rejection, TARGET, until } from "./emulator.mjs";

const native = createRequire(import.meta.url)("./node_modules/lakekey/native.cjs");
const errors = createRequire(import.meta.url)("./node_modules/lakekey/dist/errors.js");

const emulator = emulated();
const client = (changes) => new lakekey.Client(emulator.client(changes));
beforeEach(() => emulator.reset());

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => assert.deepEqual(unhandled, [], "a promise was rejected with nobody waiting"));

test("a token is minted once and then served from the cache", async () => {
  const mine = client();
  const tokens = await Promise.all(Array.from({ length: 50 }, () => mine.token()));
  assert.equal(new Set(tokens).size, 1);
  assert.equal((await emulator.counters()).mints, 1);
});

test("clients of one process that are the same identity share credentials", async () => {
  const same = () => client({ tokenProvider: null, token: emulator.ready.env.DATABRICKS_TOKEN });
  const token = await same().token();
  assert.equal(await same().token(TARGET), token);
  assert.equal((await emulator.counters()).mints, 1);
});

test("a credential has its times and its identity", async () => {
  const credential = await client().credential();
  assert.equal(credential.endpoint, TARGET);
  assert.equal(credential.subject, emulator.ready.env.PGUSER);
  assert.ok(credential.expiresAt > new Date() && credential.issuedAt <= new Date());
});

test("connection parameters are libpq's", async () => {
  const params = await client().connectParams(null, { database: "shop", port: 6543, sslmode: "verify-ca" });
  assert.match(params.port, /^6543(,6543)*$/);
  assert.deepEqual([params.dbname, params.port, params.sslmode], ["shop", params.port, "verify-ca"]);
  assert.ok(params.password.length > 100 && params.host && params.user);
  assert.match(await client().conninfo(), /host=\S+ .*password=/);
});

test("the functions of the package use the environment", async () => {
  assert.equal(await lakekey.token(), (await lakekey.credential()).token);
  assert.equal(lakekey.version, "0.1.0");
});

test("every published code has its class", () => {
  const classes = new Map(
    native.codes().map(({ code }) => [code, errors.classOf(code).name]),
  );
  assert.ok(classes.size >= 30);
  for (const [code, name] of classes) {
    assert.notEqual(name, "LakekeyError", `${code} has no class of its own`);
    assert.equal(typeof lakekey[name], "function", `${name} is exported`);
  }
  const families = new Set([...classes.keys()].map((code) => Math.floor(code / 100)));
  for (const family of families) if (family !== 19) assert.ok(errors.classOf(family * 100) !== lakekey.LakekeyError);
});

test("a token that is asked for again and again is the current one", async () => {
  await emulator.tokens({ ttl_s: 5 });
  const mine = client();
  const seen = new Map();
  const end = performance.now() + 7000;
  // Turns, not a loop of promises only: the refreshed token comes by an event.
  while (performance.now() < end) {
    for (let call = 0; call < 100; call++) {
      const token = await mine.token();
      const { exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
      assert.ok(exp * 1000 > Date.now(), "an expired token");
      seen.set(token, (seen.get(token) ?? 0) + 1);
    }
    await new Promise(setImmediate);
  }
  const { mints } = await emulator.counters();
  assert.ok(seen.size >= 2 && mints <= seen.size + 1, `${seen.size} tokens, ${mints} mints`);
});

test("a token that was invalidated, or whose client was closed, is not given again", async () => {
  const mine = client();
  const first = await mine.token();
  assert.equal(await mine.token(), first);
  assert.equal(mine.invalidate(first), true);
  const second = await mine.token();
  assert.notEqual(second, first);
  assert.equal(await mine.token(), second);
  mine.close();
  assert.ok((await rejection(mine.token())) instanceof lakekey.ClosedError);
});

test("a token is repeated for a moment without asking, and not after the clock was set", async (t) => {
  const mine = client();
  await mine.token();
  const asked = t.mock.method(native.Client.prototype, "peek");
  const now = t.mock.method(Date, "now", () => 1_900_000_000_000);
  const asks = async (time) => {
    now.mock.mockImplementation(() => time);
    const before = asked.mock.callCount();
    for (let call = 0; call < 3; call++) await mine.token();
    return asked.mock.callCount() - before;
  };
  assert.equal(await asks(1_900_000_000_000), 1);
  assert.equal(await asks(1_900_000_000_015), 0);
  assert.equal(await asks(1_900_000_000_016), 1);
  assert.equal(await asks(1_900_000_000_000), 1, "set back");
  assert.equal(await asks(1_900_000_400_000), 1, "the machine slept");
});

test("what a worker invalidates is not given for long by others", async () => {
  const said = await emulator.output(`
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    import { Client } from "lakekey";
    const client = new Client();
    const first = await client.token();
    const source = \`
      const { Client } = require("lakekey");
      const client = new Client();
      client.token().then((token) => require("node:worker_threads").parentPort.postMessage([token, client.invalidate(token)]));
    \`;
    const worker = new Worker(source, { eval: true, execArgv: [] });
    const [[theirs, due]] = await once(worker, "message");
    let token;
    do token = await client.token();
    while (token === first && await new Promise((again) => setTimeout(again, 1, true)));
    console.log(theirs === first, due, token !== first);
  `);
  assert.equal(said, "true true true\n");
});

test("an error has all its facts, its class, and the caller's stack", async () => {
  async function theCaller() {
    await client({ tokenProvider: null, token: "no-such-token" }).token();
  }
  const error = await rejection(theCaller());
  assert.ok(error instanceof lakekey.AuthError && error instanceof lakekey.LakekeyError && error instanceof Error);
  assert.equal(Math.floor(error.code / 100), 11);
  assert.match(error.slug, /^AUTH_/);
  assert.ok([401, 403].includes(error.httpStatus), String(error.httpStatus));
  assert.equal(error.retryable, false);
  assert.match(error.stack, /theCaller/);
  assert.ok(!error.stack.includes("no-such-token"));
});

test("misspelt and mistyped options are refused by name", async () => {
  for (const [options, said] of [
    [{ tokn: "x" }, /options\.tokn.*is not known/],
    [{ token: 7 }, /options\.token.*must be a string, not a number/],
    [{ timeoutMillis: Number.NaN }, /options\.timeoutMillis/],
    [{ timeoutMillis: 0 }, /timeout/],
    [[], /must be an object/],
    [{ tokenProvider: "planted-secret" }, /tokenProvider.*must be a function/],
  ]) {
    assert.throws(
      () => new lakekey.Client(options),
      (error) => error instanceof lakekey.ConfigError && said.test(error.message) && !/planted/.test(error.message),
    );
  }
  const mine = client();
  for (const call of [
    () => mine.token(7),
    () => mine.token(null, { ttl: 5 }),
    () => mine.connectParams(null, { port: 0 }),
    () => mine.connectParams(null, { hots: "x" }),
  ]) {
    assert.ok((await rejection(call())) instanceof lakekey.LakekeyError);
  }
  assert.equal(await new lakekey.Client({ ...emulator.client(), profile: undefined, product: null }).token().then((token) => typeof token), "string");
});

test("an abort signal ends a pending call and nobody else's", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "latency", ms: 1000 });
  const giveUp = new AbortController();
  const mine = client();
  const [mineFails, others] = [rejection(mine.token(null, { signal: giveUp.signal })), mine.token()];
  const reason = new Error("no longer wanted");
  const started = performance.now();
  giveUp.abort(reason);
  const error = await mineFails;
  assert.ok(performance.now() - started < 900);
  assert.ok(error instanceof lakekey.CancelledError);
  assert.equal(error.cause, reason);
  assert.ok(await others);
  const late = await rejection(client().connectParams(null, { signal: AbortSignal.abort(reason) }));
  assert.ok(late instanceof lakekey.CancelledError && late.cause === reason);
});

test("a call ends at its own time limit", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "hang" });
  const error = await rejection(client().token(null, { timeoutMillis: 300 }));
  assert.ok(error instanceof lakekey.LakekeyTimeout || error.retryable, error);
});

test("a function, its promise and an SDK client give the workspace token", async () => {
  const { DATABRICKS_TOKEN: token, DATABRICKS_HOST: host } = emulator.ready.env;
  const later = new Date(Date.now() + 3_600_000);
  const sdk = { config: { host, authenticate: async (headers) => headers.set("Authorization", `Bearer ${token}`) } };
  for (const tokenProvider of [
    () => token,
    async () => token,
    async () => ({ token, expiresAt: later }),
    () => ({ token, expiresAt: later.getTime() }),
  ]) {
    assert.ok(await new lakekey.Client({ target: TARGET, host, tokenProvider }).token());
  }
  assert.ok(await new lakekey.Client({ target: TARGET, tokenProvider: sdk }).token());
  assert.ok(await new lakekey.Client({ target: TARGET, tokenProvider: sdk.config }).token());
});

test("what a provider throws is the cause, and its text stays with it", async () => {
  const mine = new RangeError("planted-secret");
  const given = (tokenProvider) =>
    rejection(new lakekey.Client({ target: TARGET, host: emulator.ready.env.DATABRICKS_HOST, tokenProvider }).token());
  const error = await given(async () => {
    throw mine;
  });
  assert.ok(error instanceof lakekey.AuthError);
  assert.equal(error.slug, "AUTH_CALLBACK");
  assert.equal(error.cause, mine);
  assert.match(error.message, /threw RangeError/);
  assert.ok(!error.message.includes("planted"));
  for (const nonsense of [undefined, 7, { token: 7 }, { token: "x", expiresAt: "soon" }, { token: "x", expiresAt: 1 }]) {
    assert.equal((await given(() => nonsense)).slug, "AUTH_CALLBACK", String(nonsense));
  }
});

test("a closed client says so, and closing twice is harmless", async () => {
  const mine = client();
  await mine.token();
  mine.close();
  mine.close();
  assert.ok((await rejection(mine.token())) instanceof lakekey.ClosedError);
});

test("a panic is an error and the process lives", () => {
  assert.equal(native.panicNow().slug, "INTERNAL_PANIC");
  assert.ok(errors.errorOf(native.panicNow()) instanceof lakekey.InternalError);
});

test("importing and making a client start no thread", async () => {
  const said = await emulator.output(`
    import { createRequire } from "node:module";
    import { Client } from "lakekey";
    const native = createRequire(import.meta.url)("./node_modules/lakekey/native.cjs");
    new Client();
    console.log(native.hasThreads());
    await new Client().token();
    console.log(native.hasThreads());
  `);
  assert.equal(said, "false\ntrue\n");
});

test("a process ends by itself when it waits for nothing, and not before", async () => {
  const said = await emulator.output(`
    import { Client } from "lakekey";
    const client = new Client({ tokenProvider: async () => process.env.DATABRICKS_TOKEN });
    client.prepare();
    client.token().then((token) => console.log(token.length > 100));
  `);
  assert.equal(said, "true\n");
});

test("a pending call does not outlive the program that exits", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "hang" });
  const started = performance.now();
  const { code } = await emulator.program(`
    import { Client } from "lakekey";
    new Client().token().catch(() => {});
    setTimeout(() => process.exit(7), 200);
  `);
  assert.equal(code, 7);
  assert.ok(performance.now() - started < 8000);
});

test("30 workers are terminated with calls pending, and the module goes on", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "latency", ms: 300 });
  const said = await emulator.output(`
    import { Worker } from "node:worker_threads";
    import { Client } from "lakekey";
    const source = \`
      const { parentPort } = require("node:worker_threads");
      const { Client } = require("lakekey");
      const tokenProvider = () => new Promise(() => {});
      for (let i = 0; i < 4; i++) {
        new Client({ tokenProvider }).token().catch(() => {});
        new Client().token().catch(() => {});
      }
      parentPort.postMessage("pending");
    \`;
    const one = () => new Promise((resolve, reject) => {
      const worker = new Worker(source, { eval: true, execArgv: [] });
      worker.once("error", reject);
      worker.once("message", () => worker.terminate().then(resolve, reject));
    });
    for (let i = 0; i < 10; i++) await Promise.all([one(), one(), one()]);
    console.log((await new Client().token()).length > 100);
  `);
  assert.equal(said, "true\n");
});

test("an unreachable workspace is an error with its address in it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await until(() => server.listening);
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  const error = await rejection(client({ host: `http://127.0.0.1:${port}`, timeoutMillis: 2000 }).token());
  assert.ok(error instanceof lakekey.LakekeyError && error.retryable, error);
  assert.match(error.message, new RegExp(String(port)));
});

test("an app's user is that user, and a refused one never becomes the app", async () => {
  const id = "00000000-0000-4000-8000-000000000001";
  const app = client({ tokenProvider: null, token: null, clientId: id, clientSecret: "emulator-secret", authType: "oauth-m2m" });
  const user = app.asUser(emulator.ready.env.DATABRICKS_TOKEN);
  assert.ok(user instanceof lakekey.Client);
  assert.equal((await user.credential()).subject, emulator.ready.env.PGUSER);
  assert.equal((await app.credential()).subject, id);
  const error = await rejection(app.asUser("dapi-planted").token());
  assert.ok(["AUTH_DENIED", "API_PERMISSION_DENIED"].includes(error.slug), String(error));
  assert.ok(!String(error).includes("planted"));
  assert.throws(() => app.asUser(""), { slug: "CONFIG_INVALID" });
});
