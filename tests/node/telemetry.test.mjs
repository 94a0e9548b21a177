// What pools record through OpenTelemetry, and that recording never costs a login.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { metrics, trace } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { Client, ConfigError } from "lakekey";
import { createLakebasePool, createPool, poolConfig } from "lakekey/pg";
import pg from "pg";

import { emulated, rejection, until } from "./emulator.mjs";

const emulator = emulated();
const pools = [];
function pool(options = {}) {
  const made = createPool({ client: emulator.client(), ...options });
  pools.push(made);
  return made;
}

let provider, exporter;
beforeEach(async () => {
  await emulator.reset();
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  });
  metrics.setGlobalMeterProvider(provider);
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((made) => made.end()));
  metrics.disable();
  trace.disable();
  await provider.shutdown();
});

/** What a collector has got by now: every metric's points by the metric's name. */
async function recorded() {
  exporter.reset();
  await provider.forceFlush();
  const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
  return Object.fromEntries(
    scopes.flatMap((scope) => scope.metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints])),
  );
}

test("each new token that a login waits for is one measured duration", async () => {
  const began = performance.now();
  const mine = pool({ max: 8 });
  await Promise.all(Array.from({ length: 8 }, () => mine.query("select pg_sleep(0.05)")));
  const took = performance.now() - began;
  const [point, ...others] = (await recorded())["lakebase.token.refresh.duration"];
  assert.deepEqual(others, []);
  assert.equal(point.value.count, 1, "eight logins waited for the same token");
  assert.ok(point.value.sum > 0 && point.value.sum <= took, `${point.value.sum} of ${took} ms`);
  assert.deepEqual(point.attributes, {});
});

test("gauges count the connections of all pools, and pools that ended no more", async () => {
  const [one, two] = [pool({ max: 1 }), pool({ max: 2 })];
  const taken = await one.connect();
  const waiting = one.query("select 1");
  await two.query("select 1");
  const counts = async () => {
    const points = await recorded();
    return ["total", "idle", "waiting"].map((name) => {
      const [point, ...others] = points[`lakebase.pool.connections.${name}`];
      assert.deepEqual(others, []);
      return point.value;
    });
  };
  assert.deepEqual(await counts(), [2, 1, 1]);
  taken.release();
  await waiting;
  assert.deepEqual(await counts(), [2, 2, 0]);
  await two.end();
  pools.pop();
  assert.deepEqual(await counts(), [1, 1, 0]);
});

test("errors are counted by code, and no attribute has anything else", async () => {
  await rejection(pool({ database: "no_such_database" }).query("select 'planted-text'"));
  const idle = pool();
  await idle.query("select 'planted-text'");
  await emulator.admin("POST", "/connections/kill", { how: "57P01" });
  await until(() => idle.totalCount === 0);
  await emulator.tokens({ wrong_audience: true, rotate_key: true });
  await rejection(pool().query("select 'planted-text'"));
  const failing = { ...emulator.client(), tokenProvider: async () => assert.fail("none") };
  await rejection(pool({ client: failing }).query("select 'planted-text'"));
  const points = await recorded();
  const errors = Object.fromEntries(points["lakebase.pool.errors"].map((point) => [point.attributes["error.code"], point.value]));
  assert.deepEqual(errors, { "3D000": 1, "57P01": 1, 28000: 1, AUTH_CALLBACK: 1 });
  const all = Object.values(points).flat().map((point) => Object.keys(point.attributes));
  assert.deepEqual([...new Set(all.flat())].sort(), ["error.code", "lakekey.login.kind"]);
  assert.doesNotMatch(JSON.stringify(points), /planted|eyJ/);
});

test("what lakekey counts is shown by its names, until the last client is closed", async () => {
  const of = (points, name, attributes = {}) =>
    points[`lakekey.${name}`]?.find((point) => JSON.stringify(point.attributes) === JSON.stringify(attributes))?.value ?? 0;
  const mine = pool();
  const before = await recorded();
  await mine.query("select 1");
  await rejection(pool({ database: "no_such_database" }).query("select 1"));
  const client = new Client(emulator.client());
  pools.push(createPool({ client }));
  client.close();
  const after = await recorded();
  const grown = (name, attributes) => of(after, name, attributes) - of(before, name, attributes);
  assert.equal(grown("logins"), 1);
  assert.equal(grown("login.attempts"), 2);
  assert.equal(grown("login.failures", { "lakekey.login.kind": "database_missing" }), 1);
  assert.equal(grown("failures", { "error.code": "LOGIN_REFUSED" }), 1);
  assert.ok(grown("credential.mints") >= 1 && grown("credential.mint.time") >= 0 && grown("login.time") > 0);
  assert.equal(of(after, "credential.mints"), new Client(emulator.client()).stats().counters.mints);
  const own = Object.keys(after).filter((name) => name.startsWith("lakekey."));
  const listed = readFileSync(new URL("../../docs/telemetry.md", import.meta.url), "utf8");
  for (const name of own) assert.ok(listed.includes(`\`${name}\``), `docs/telemetry.md lacks ${name}`);
});

test("a program that collects later gets what follows, and options without a pool record too", async () => {
  metrics.disable();
  const mine = new pg.Pool(poolConfig({ client: emulator.client() }));
  pools.push(mine);
  metrics.setGlobalMeterProvider(provider);
  await mine.query("select 1");
  assert.equal((await recorded())["lakebase.token.refresh.duration"][0].value.count, 1);
});

test("what is turned off is not recorded, and what nobody knows is refused", async () => {
  for (const telemetry of [false, { metrics: false }]) {
    await pool({ telemetry }).query("select 1");
    await rejection(pool({ telemetry, database: "no_such_database" }).query("select 1"));
  }
  assert.deepEqual(await recorded(), {});
  for (const telemetry of ["on", 1, { metric: true }, { metrics: "yes" }, [true]]) {
    const native = (options) => createLakebasePool({ ...options, password: "native" });
    for (const make of [createPool, createLakebasePool, native]) {
      assert.throws(() => make({ telemetry }), (error) => error instanceof ConfigError && /telemetry/.test(error.message));
    }
  }
});

// The spans that have ended from now on.
function traced() {
  const ended = [];
  const startSpan = (name, options) => {
    const span = { name, ...options, attributes: { ...options.attributes }, exceptions: [] };
    return {
      setAttribute: (key, value) => (span.attributes[key] = value),
      setStatus: (status) => (span.status = status),
      recordException: (error) => span.exceptions.push(error),
      end: () => ended.push(span),
    };
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) });
  return ended;
}

test("a span stands for each refresh, unless traces are turned off", async () => {
  const ended = traced();
  await pool().query("select 1");
  await pool({ telemetry: { traces: false } }).query("select 1");
  const [span, ...others] = ended.filter(({ name }) => name === "lakebase.token.refresh");
  assert.deepEqual(others, []);
  assert.ok(span.startTime <= Date.now());
  assert.equal(ended.length, 2, "and one for the query");
});

test("a span and a duration stand for each query that a pool is asked, however it is asked", async () => {
  const ended = traced();
  const mine = pool({ user: emulator.ready.env.PGUSER });
  assert.deepEqual((await mine.query("select $1::text as one", ["planted-value"])).rows, [{ one: "planted-value" }]);
  assert.equal((await mine.query({ text: "select generate_series(1, 3)" })).rowCount, 3);
  const called = await new Promise((resolve) => mine.query("select 1 as one", (error, result) => resolve([error, result.rows])));
  assert.deepEqual(called, [undefined, [{ one: 1 }]]);
  const error = await rejection(mine.query("select nothing"));
  assert.equal(error.code, "42703");
  assert.equal(await new Promise((resolve) => mine.query("select nothing", [], resolve)).then(({ code }) => code), "42703");
  const queries = ended.filter(({ name }) => name === "lakebase.query");
  assert.deepEqual(
    queries.map(({ attributes, status }) => [attributes["db.statement"], attributes["db.rows_affected"], status.code]),
    [
      ["select $1::text as one", 1, 1],
      ["select generate_series(1, 3)", 3, 1],
      ["select 1 as one", 1, 1],
      ["select nothing", undefined, 2],
      ["select nothing", undefined, 2],
    ],
  );
  assert.equal(queries[3].exceptions[0], error);
  assert.ok(queries.every(({ kind, attributes }) => kind === 2 && attributes["db.user"] === emulator.ready.env.PGUSER));
  assert.doesNotMatch(JSON.stringify(ended), /planted|eyJ/);
  const [point, ...others] = (await recorded())["lakebase.query.duration"];
  assert.deepEqual(others, []);
  assert.deepEqual([point.value.count, point.attributes], [5, {}]);
});

test("a meter or a tracer that throws at any step fails no login and no query", async () => {
  const thrown = [];
  const fail = (step) => () => {
    thrown.push(step);
    throw new Error(step);
  };
  const instrument = { record: fail("record"), add: fail("add"), addCallback: () => undefined };
  const makes = ["createHistogram", "createCounter", "createObservableGauge", "createObservableCounter"];
  const whole = Object.fromEntries(makes.map((step) => [step, () => instrument]));
  trace.setGlobalTracerProvider({ getTracer: fail("getTracer") });
  const meters = [
    ["getMeter", fail("getMeter")],
    ...Object.keys(whole).map((step) => [step, () => ({ ...whole, [step]: fail(step) })]),
    ["record", () => whole],
    ["add", () => whole],
    ["addCallback", () => ({ ...whole, createObservableGauge: () => ({ addCallback: fail("addCallback") }) })],
  ];
  for (const [step, getMeter] of meters) {
    thrown.length = 0;
    metrics.disable();
    metrics.setGlobalMeterProvider({ getMeter });
    const mine = pool();
    assert.deepEqual((await mine.query("select 1 as one")).rows, [{ one: 1 }], step);
    assert.equal((await rejection(pool({ database: "no_such_database" }).query("select 1"))).sqlstate, "3D000", step);
    assert.ok(thrown.includes(step) && thrown.includes("getTracer"), `${step}: ${thrown}`);
  }
  for (const step of ["startSpan", "setAttribute", "setStatus", "recordException", "end"]) {
    thrown.length = 0;
    trace.disable();
    const span = { setAttribute() {}, setStatus() {}, recordException() {}, end() {}, [step]: fail(step) };
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: step === "startSpan" ? fail(step) : () => span }) });
    const mine = pool();
    assert.deepEqual((await mine.query("select 1 as one")).rows, [{ one: 1 }], step);
    assert.equal((await rejection(mine.query("select nothing"))).code, "42703", step);
    assert.ok(thrown.includes(step), `${step}: ${thrown}`);
  }
});

test("without the API a pool is the same, and nothing of it is installed or loaded", async () => {
  const here = dirname(createRequire(import.meta.url).resolve("lakekey/package.json"));
  const alone = mkdtempSync(join(tmpdir(), "lakekey-alone-"));
  try {
    mkdirSync(join(alone, "node_modules"));
    const needed = ["lakekey", "@lakekey", "pg", "pg-connection-string", "pg-int8", "pg-pool", "pg-protocol", "pg-types", "pgpass", "split2"];
    const more = ["postgres-array", "postgres-bytea", "postgres-date", "postgres-interval", "xtend"];
    for (const name of [...needed, ...more]) {
      cpSync(join(here, "..", name), join(alone, "node_modules", name), { recursive: true });
    }
    const file = join(alone, "app.mjs");
    writeFileSync(
      file,
      `
      import { createRequire } from "node:module";
      import { createPool } from "lakekey/pg";
      const pool = createPool({ telemetry: true });
      console.log((await pool.query("select 1 as one")).rows[0].one);
      await pool.end();
      try { createRequire(import.meta.url)("@opentelemetry/api"); console.log("there"); } catch { console.log("absent"); }
    `,
    );
    assert.equal(await emulator.output("", { file }), "1\nabsent\n");
  } finally {
    rmSync(alone, { recursive: true });
  }
});
