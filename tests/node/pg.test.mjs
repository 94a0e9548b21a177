// `lakekey/pg`: pg's own pools, each login with a current token.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { CancelledError, Client, ConfigError, LakekeyError, LoginError } from "lakekey";
import { createPool, LoginRefused, poolConfig } from "lakekey/pg";
import pg from "pg";

import { emulated, rejection, TARGET, until } from "./emulator.mjs";

const emulator = emulated();
const pools = [];
function pool(options = {}) {
  const made = createPool({ client: emulator.client(), ...options });
  pools.push(made);
  return made;
}

beforeEach(async () => {
  await Promise.all(pools.splice(0).map((made) => made.end()));
  await emulator.reset();
});
after(() => Promise.all(pools.map((made) => made.end())));

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => assert.deepEqual(unhandled, [], "a promise was rejected with nobody waiting"));

test("a pool is pg's own, and so are its clients", async () => {
  const mine = pool({ application_name: "mine", max: 3 });
  assert.equal(mine.constructor, pg.Pool);
  assert.equal(mine.options.max, 3);
  const client = await mine.connect();
  assert.ok(client instanceof pg.Client);
  const { rows } = await client.query("select current_user as me, current_setting('application_name') as name");
  assert.deepEqual(rows, [{ me: emulator.ready.env.PGUSER, name: "mine" }]);
  client.release();
  assert.equal((await emulator.counters()).mints, 1);
});

test("poolConfig serves pg.Pool and pg.Client, by promise and by callback", async () => {
  const config = poolConfig({ client: emulator.client(), endpoint: TARGET });
  assert.ok(!("connectionString" in config) && typeof config.password === "function");
  assert.ok(await config.password());
  const mine = new pg.Pool(config);
  assert.equal((await mine.query("select 1 as one")).rows[0].one, 1);
  await mine.end();
  const client = new config.Client(config);
  await client.connect();
  await client.end();
  const other = new config.Client(config);
  await new Promise((resolve, reject) => other.connect((error) => (error ? reject(error) : resolve())));
  assert.equal((await other.query("select 2 as two")).rows[0].two, 2);
  await other.end();
});

test("each connection has its own lifetime near 45 minutes, unless it is given", async () => {
  const mine = pool();
  const { options } = mine;
  const drawn = Array.from({ length: 50 }, () => options.maxLifetimeSeconds);
  assert.ok(drawn.every((seconds) => seconds > 2400 && seconds <= 2700), String(drawn));
  assert.ok(new Set(drawn).size > 10);
  const other = pool({ maxLifetimeSeconds: 60 });
  assert.equal(other.options.maxLifetimeSeconds, 60);
  // What they have begun must not be counted by the next test.
  await Promise.all([mine.options.password(), other.options.password()]);
});

test("making a pool starts the mint at once", async () => {
  pool();
  await until(async () => (await emulator.counters()).mints === 1);
});

test("what lakekey decides cannot be given, and what nobody knows is refused", () => {
  for (const name of ["connectionString", "password", "host", "stream", "maxx"]) {
    assert.throws(
      () => pool({ [name]: "planted-secret" }),
      (error) => error instanceof ConfigError && error.message.includes(name) && !/planted/.test(error.message),
    );
  }
});

test("500 first connects over 3 pools of one process are one mint", async () => {
  const said = await emulator.output(`
    import { createPool } from "lakekey/pg";
    const pools = [createPool({ max: 20 }), createPool({ max: 20 }), createPool({ max: 20 })];
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, number) => pools[number % 3].query("select $1::int as number", [number])),
    );
    console.log(answers.filter((answer, number) => answer.rows[0].number === number).length);
    await Promise.all(pools.map((pool) => pool.end()));
  `);
  assert.equal(said, "500\n");
  const counters = await emulator.counters();
  assert.equal(counters.mints, 1);
  assert.equal(counters.logins_refused, 0);
});

const OUTAGES = {
  "answers 503": { kind: "status", status: 503 },
  "hangs": { kind: "hang" },
  "refuses connections": { kind: "refuse" },
};

for (const [how, action] of Object.entries(OUTAGES)) {
  test(`a control plane that ${how} costs nobody a login until the token's last tenth`, async () => {
    await emulator.tokens({ ttl_s: 8 });
    const impatient = () => new Client(emulator.client({ timeoutMillis: 1500 }));
    const client = impatient();
    const mine = pool({ max: 4, maxUses: 1, client });
    await mine.query("select 1");
    const { issuedAt, expiresAt } = await client.credential();
    const lastTenth = expiresAt - (expiresAt - issuedAt) / 10;
    await emulator.admin("POST", "/faults", { action });
    const failures = [];
    const work = async () => {
      while (Date.now() < lastTenth - 300) await mine.query("select pg_sleep(0.02)").catch((error) => failures.push(error));
    };
    await Promise.all(Array.from({ length: 4 }, work));
    assert.deepEqual(failures, []);
    const counters = await emulator.counters();
    assert.equal(counters.mints, 1, "all these logins used the one token");
    assert.equal(counters.logins_refused, 0);
    assert.ok(counters.logins_accepted > 50, JSON.stringify(counters));
    const cold = pool({ client: impatient() });
    const began = performance.now();
    const error = await rejection(cold.query("select 1"));
    assert.ok(error instanceof LakekeyError && error.retryable, error);
    assert.ok(performance.now() - began < 5000, "an error comes in time");
    await emulator.clearFaults();
    await until(() => cold.query("select 1").then(() => true, () => false));
    await until(() => mine.query("select 1").then(() => true, () => false));
  });
}

test("a token function that fails is the query's error, and the process lives", async () => {
  const mine = pool({
    client: {
      target: TARGET,
      host: emulator.ready.env.DATABRICKS_HOST,
      tokenProvider: async () => {
        throw new RangeError("no token today");
      },
    },
  });
  const error = await rejection(mine.query("select 1"));
  assert.ok(error instanceof LakekeyError);
  assert.equal(error.slug, "AUTH_CALLBACK");
  assert.ok(error.cause instanceof RangeError);
  assert.match(error.stack, /pg\.test\.mjs|pg-pool/);
});

test("a refused token from the cache earns one mint and one reconnect", async () => {
  const mine = pool();
  await mine.options.password();
  await emulator.tokens({ rotate_key: true });
  const { rows } = await mine.query("select 1 as one");
  assert.deepEqual(rows, [{ one: 1 }]);
  const { mints, logins_refused, logins_accepted } = await emulator.counters();
  assert.deepEqual({ mints, logins_refused, logins_accepted }, { mints: 2, logins_refused: 1, logins_accepted: 1 });
});

test("a pool that is refused as a whole mints once", async () => {
  const mine = pool({ max: 8 });
  await mine.options.password();
  await emulator.tokens({ rotate_key: true });
  await Promise.all(Array.from({ length: 8 }, () => mine.query("select pg_sleep(0.1)")));
  const counters = await emulator.counters();
  assert.equal(counters.mints, 2);
  assert.equal(counters.logins_accepted, 8);
  assert.equal(mine.totalCount, 8);
});

test("a login that stays refused is explained, with the driver's error as the cause", async () => {
  await emulator.tokens({ wrong_audience: true });
  const error = await rejection(pool().query("select 1"));
  assert.ok(error instanceof LoginRefused && error instanceof LoginError, error);
  assert.deepEqual([error.slug, error.sqlstate, error.name], ["LOGIN_REFUSED", error.cause.code, "LoginRefused"]);
  assert.ok(error.cause instanceof pg.DatabaseError && /^28/.test(error.sqlstate), error.sqlstate);
  const counters = await emulator.counters();
  assert.ok(counters.logins_refused <= 2, JSON.stringify(counters));
});

test("a server that refuses every token is not asked again and again", async () => {
  const mine = pool();
  await mine.options.password();
  await emulator.tokens({ wrong_audience: true, rotate_key: true });
  for (let login = 0; login < 5; login++) assert.ok((await rejection(mine.query("select 1"))) instanceof LoginRefused);
  assert.equal((await emulator.counters()).mints, 2, "one fresh mint, then a pause");
});

test("what is no matter of the token costs no other token, and has pg's own error as its cause", async () => {
  const error = await rejection(pool({ database: "no_such_database" }).query("select 1"));
  assert.ok(error instanceof LoginRefused && error.cause instanceof pg.DatabaseError, error);
  assert.deepEqual([error.sqlstate, error.cause.code, error.explanation.kind], ["3D000", "3D000", "database_missing"]);
  assert.equal((await emulator.counters()).mints, 1);
});

test("the server is verified by name and against the given authorities", async () => {
  const wrong = await rejection(pool({ ssl: { rejectUnauthorized: true } }).query("select 1"));
  assert.equal(wrong.explanation.kind, "tls");
  assert.match(wrong.cause.code, /UNABLE_TO_VERIFY|SELF_SIGNED|DEPTH_ZERO/);
  const unreadable = await rejection(pool({ sslrootcert: "/no/such/file.pem" }).query("select 1"));
  assert.ok(unreadable instanceof LakekeyError && /no\/such\/file/.test(unreadable.message), unreadable);
  const { PGHOSTADDR } = process.env;
  if (PGHOSTADDR !== undefined) {
    // The name leads elsewhere; the certificate that is shown there is not its.
    const error = await rejection(
      emulator.output(
        `import { createPool } from "lakekey/pg"; const pool = createPool(); await pool.query("select 1"); await pool.end();`,
        { env: { PGHOST: "somebody.else.example" } },
      ),
    );
    assert.match(error.message, /ERR_TLS_CERT_ALTNAME_INVALID|TARGET_|somebody|\[tls\]/);
  }
});

test("a connection that is killed while idle does not end the process", async () => {
  const told = [];
  const mine = pool({ onError: (error) => told.push(error.code) });
  await mine.query("select 1");
  await emulator.admin("POST", "/connections/kill", { how: "57P01" });
  await until(() => told.length > 0);
  assert.deepEqual(told, ["57P01"]);
  await mine.query("select 1");
});

test("a connection that is killed while taken out fails its query and does not end the process", async () => {
  const mine = pool();
  const client = await mine.connect();
  const error = rejection(client.query("select pg_sleep(30)"));
  await emulator.admin("POST", "/connections/kill", { how: "57P01" });
  assert.equal((await error).code, "57P01");
  await rejection(client.query("select 1"));
  client.release(true);
  await mine.query("select 1");
});

test("a pool's own time limit ends a hung mint, and the pool goes on", async () => {
  await emulator.fault("/api/2.0/postgres/credentials", { kind: "hang" });
  const mine = pool({ connectionTimeoutMillis: 500, client: emulator.client({ timeoutMillis: 1500 }) });
  const started = performance.now();
  const error = await rejection(mine.query("select 1"));
  assert.ok(performance.now() - started < 3000);
  assert.ok(/timeout/.test(error.message) || error instanceof LakekeyError, error);
  if (!(error instanceof LakekeyError)) assert.ok(error.cause instanceof CancelledError || error.cause.retryable, error.cause);
  await emulator.clearFaults();
  await until(() => mine.query("select 1").then(() => true, () => false));
});

test("a process ends by itself when its pool is ended", async () => {
  const said = await emulator.output(`
    import { createPool } from "lakekey/pg";
    const pool = createPool({ allowExitOnIdle: true });
    console.log((await pool.query("select 1 as one")).rows[0].one);
  `);
  assert.equal(said, "1\n");
});

const EXAMPLE = fileURLToPath(new URL("./examples/node-pg/notes.mjs", import.meta.url));

test("the example runs", () => {
  const notes = (...given) => {
    const done = spawnSync(process.execPath, [EXAMPLE, ...given], { encoding: "utf8", timeout: 30_000 });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout;
  };
  notes("migrate");
  notes("migrate");
  const number = notes("add", "buy milk").trim().split(" ").pop();
  assert.match(notes("list"), /buy milk/);
  notes("done", number);
  assert.doesNotMatch(notes("list"), /buy milk/);
});
