// Metrics and spans for whoever collects them, by the names of `@databricks/lakebase`.
//
// They go through `@opentelemetry/api`, which is looked for at the first pool and not needed: without it nothing happens.
// No attribute has a text of SQL, a user or a host. Whatever the collecting side does, a login goes on as without it.

import { described, checked } from "./options.js";
import { argumentError } from "./errors.js";

/** What is recorded: all of it, nothing, or one of the two. */
export type TelemetryOptions = boolean | { traces?: boolean; metrics?: boolean };

/** What a pool tells about itself. */
interface Pool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly ended: boolean;
}

/** The parts of `@opentelemetry/api` that are used; its own types would make every user install it. */
interface Api {
  metrics: { getMeter(name: string): Meter };
  trace: { getTracer(name: string): { startSpan(name: string, options: { startTime: number }): { end(): void } } };
}

interface Meter {
  createHistogram(name: string, options: object): { record(value: number): void };
  createCounter(name: string, options: object): { add(value: number, attributes: Record<string, string>): void };
  createObservableGauge(
    name: string,
    options: object,
  ): { addCallback(callback: (result: { observe(value: number): void }) => void): void };
}

type Instruments = {
  refresh: ReturnType<Meter["createHistogram"]>;
  errors: ReturnType<Meter["createCounter"]>;
};

const SCOPE = "lakekey";
const GAUGES = [
  ["total", "totalCount", "Connections of all pools"],
  ["idle", "idleCount", "Connections that nobody uses"],
  ["waiting", "waitingCount", "Requests that wait for a connection"],
] as const;

/** Those that have not ended. Weak, because a pool that was forgotten shall not be kept by its gauges. */
const pools = new Set<WeakRef<Pool>>();
const known = new WeakMap<Meter, Instruments>();
let found: { api: Api | undefined } | undefined;

/** What one pool, or one set of options for pools, records. */
export class Telemetry {
  readonly #metrics: boolean;
  readonly #traces: boolean;
  #last: string | undefined;

  constructor(given: TelemetryOptions | null | undefined) {
    if (given !== undefined && given !== null && typeof given !== "boolean" && typeof given !== "object") {
      throw argumentError("options.telemetry", `must be a boolean or an object, not ${described(given)}`);
    }
    const { metrics, traces } =
      typeof given === "boolean"
        ? { metrics: given, traces: given }
        : checked("options.telemetry", given, { metrics: "boolean", traces: "boolean" });
    this.#metrics = metrics ?? true;
    this.#traces = traces ?? true;
  }

  /** Counts a pool's connections until it ends. */
  watch(pool: Pool): void {
    if (!this.#metrics) return;
    pools.add(new WeakRef(pool));
    quietly(instruments);
  }

  /** A login had to wait for its token. Of many that waited for the same one, the first counts. */
  waited(token: string, millis: number): void {
    if (token === this.#last) return;
    this.#last = token;
    if (this.#metrics) quietly(() => instruments()?.refresh.record(millis));
    if (this.#traces) {
      quietly(() => {
        const tracer = api()?.trace.getTracer(SCOPE);
        tracer?.startSpan("lakebase.token.refresh", { startTime: Date.now() - millis }).end();
      });
    }
  }

  /** A login failed, or a connection that was idle. */
  failed(error: unknown): void {
    if (this.#metrics) quietly(() => instruments()?.errors.add(1, { "error.code": codeOf(error) }));
  }
}

/** Made anew for each meter: the program may choose where metrics go after its first pool. */
function instruments(): Instruments | undefined {
  const meter = api()?.metrics.getMeter(SCOPE);
  if (meter === undefined) return undefined;
  const before = known.get(meter);
  if (before) return before;
  const made = {
    refresh: meter.createHistogram("lakebase.token.refresh.duration", {
      description: "How long logins waited for a new token",
      unit: "ms",
    }),
    errors: meter.createCounter("lakebase.pool.errors", {
      description: "Failed logins and failed idle connections by error code",
      unit: "1",
    }),
  };
  for (const [name, count, description] of GAUGES) {
    const gauge = meter.createObservableGauge(`lakebase.pool.connections.${name}`, { description });
    // One sum: values of several callbacks with the same attributes would replace each other.
    gauge.addCallback((result) => result.observe(live().reduce((sum, pool) => sum + pool[count], 0)));
  }
  known.set(meter, made);
  return made;
}

function live(): Pool[] {
  const those: Pool[] = [];
  for (const weak of pools) {
    const pool = weak.deref();
    if (pool === undefined || pool.ended) pools.delete(weak);
    else those.push(pool);
  }
  return those;
}

function api(): Api | undefined {
  if (found === undefined) {
    let there: Api | undefined;
    try {
      // Inside `try` bundlers take it for what it is: needed only where it is installed.
      there = require("@opentelemetry/api") as Api;
    } catch {
      there = undefined;
    }
    found = { api: there };
  }
  return found.api;
}

/** lakekey's name for it, Postgres' or the system's code: never a message, which may quote anything. */
function codeOf(error: unknown): string {
  const { sqlstate, slug, code } = (error ?? {}) as Record<string, unknown>;
  const name = [sqlstate, slug, code].find((given) => typeof given === "string" && /^[A-Z0-9_]{1,40}$/.test(given));
  return (name as string | undefined) ?? "unknown";
}

/** Nothing that is recorded is worth a login. */
function quietly(record: () => void): void {
  try {
    record();
  } catch {
    // Whoever collects finds out by what is missing.
  }
}
