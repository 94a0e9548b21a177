// Metrics and spans for whoever collects them, by the names of `@databricks/lakebase`, and lakekey's own counts.
//
// They go through `@opentelemetry/api`, which is looked for at the first pool and not needed: without it nothing happens.
// No metric has a text of SQL, a user or a host; the span of a query has its text, without its values. Whatever the
// collecting side does, logins and queries go on as without it.

import type { Client } from "./client.js";
import { counted, show, type CountingMeter } from "./counts.js";
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
  readonly options: { user?: string | undefined };
  query(...given: never[]): unknown;
}

/** The parts of `@opentelemetry/api` that are used; its own types would make every user install it. */
interface Api {
  metrics: { getMeter(name: string): Meter };
  trace: { getTracer(name: string): { startSpan(name: string, options: object): Span } };
}

interface Span {
  setAttribute(name: string, value: number): void;
  setStatus(status: { code: number }): void;
  recordException(error: unknown): void;
  end(): void;
}

interface Meter extends CountingMeter {
  createHistogram(name: string, options: object): { record(millis: number): void };
  createCounter(name: string, options: object): { add(value: number, attributes: Record<string, string>): void };
  createObservableGauge(
    name: string,
    options: object,
  ): { addCallback(callback: (result: { observe(value: number): void }) => void): void };
}

type Instruments = {
  refresh: ReturnType<Meter["createHistogram"]>;
  queries: ReturnType<Meter["createHistogram"]>;
  errors: ReturnType<Meter["createCounter"]>;
};

const SCOPE = "lakekey";
/** The API's own numbers. */
const CLIENT = 2;
const OK = 1;
const ERROR = 2;
/** The longest text of a query that a span gets. */
const LONGEST_STATEMENT = 500;
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

  /** Shows what is counted in this process, of which this client is a part. */
  counts(client: Client): void {
    if (!this.#metrics) return;
    counted(client);
    quietly(instruments);
  }

  /** Counts a pool's connections until it ends, and records what is asked of the pool itself. */
  watch(pool: Pool): void {
    if (this.#metrics) {
      pools.add(new WeakRef(pool));
      quietly(instruments);
    }
    if (api() !== undefined && (this.#metrics || this.#traces)) {
      const ask = pool.query.bind(pool) as (...given: unknown[]) => unknown;
      pool.query = (...given: unknown[]) => this.#asked(pool, given, ask);
    }
  }

  #asked(pool: Pool, given: unknown[], ask: (...given: unknown[]) => unknown): unknown {
    const ended = this.#query(given[0], pool.options.user);
    const done = given.at(-1);
    if (typeof done === "function") {
      const told = (error: unknown, result: unknown) => {
        ended(error, result);
        done(error, result);
      };
      return ask(...given.slice(0, -1), told);
    }
    const answer = ask(...given) as Promise<unknown> | undefined;
    return answer?.then(
      (result) => {
        ended(undefined, result);
        return result;
      },
      (error: unknown) => {
        ended(error);
        throw error;
      },
    );
  }

  /** A query begins; the function is for its end. */
  #query(query: unknown, user: string | undefined): (error?: unknown, result?: unknown) => void {
    const began = performance.now();
    let span: Span | undefined;
    if (this.#traces) {
      quietly(() => {
        const text = typeof query === "string" ? query : (query as { text?: unknown } | undefined)?.text;
        const attributes = {
          "db.system": "lakebase",
          "db.user": user ?? "unknown",
          "db.statement": typeof text === "string" ? text.slice(0, LONGEST_STATEMENT) : "unknown",
        };
        span = api()?.trace.getTracer(SCOPE).startSpan("lakebase.query", { kind: CLIENT, attributes });
      });
    }
    return (error, result) => {
      if (this.#metrics) quietly(() => instruments()?.queries.record(performance.now() - began));
      quietly(() => {
        if (error) span?.recordException(error);
        else span?.setAttribute("db.rows_affected", (result as { rowCount?: number } | undefined)?.rowCount ?? 0);
        span?.setStatus({ code: error ? ERROR : OK });
      });
      quietly(() => span?.end());
    };
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
    queries: meter.createHistogram("lakebase.query.duration", {
      description: "How long queries took that were asked of a pool, with the wait for a connection",
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
  show(meter);
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
