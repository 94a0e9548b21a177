// A class of pg clients that find their server and log in with a current token, each time they connect.
//
// A client of pg reads its settings when it is made, and pools make it; where the server is and what the token is are
// known only later. So when it is to connect, a second client is made with all settings and its state is moved into
// the first, before anything is listening. The same is done for the second attempt, which pg itself does not allow.

import { Socket } from "node:net";

import type * as pgTypes from "pg";

import type * as native from "../native.cjs";
import { PinnedSocket, serverOf } from "./address.js";
import type { Client, ConnectOptions } from "./client.js";
import { here, LakekeyError } from "./errors.js";
import { Steps } from "./plan.js";
import type { Telemetry } from "./telemetry.js";

/** Where to log in and how, for every connection of a pool. */
export interface Plan {
  client: Client;
  target: string | null;
  /** The name of the server, where it is not the endpoint's own. */
  host?: string | undefined;
  base: typeof pgTypes.Client;
  wanted: Omit<ConnectOptions, "signal">;
  /** What the user wants of TLS, instead of what `sslmode` means. */
  ssl: pgTypes.ClientConfig["ssl"] | undefined;
  telemetry: Telemetry;
}

type Done = (error?: Error) => void;

interface Stream {
  destroy(): void;
  destroyed: boolean;
  once(event: string, listener: () => void): void;
  off(event: string, listener: () => void): void;
}

/** The parts of pg's client that this file works on. */
interface Inner {
  connection: {
    stream: Stream;
    _connecting: boolean;
    removeAllListeners(): void;
    on(event: string, listener: () => void): void;
  };
  connectionTimeoutHandle?: NodeJS.Timeout;
  _ending?: boolean;
}

/** pg's class, with the one method that is replaced. */
type Base = new (config?: pgTypes.ClientConfig) => Omit<pgTypes.Client, "connect"> & { connect(done?: Done): unknown };

/** The class that a pool makes its clients of. */
export function dialer(plan: Plan): typeof pgTypes.Client {
  return class extends (plan.base as unknown as Base) {
    readonly #given: pgTypes.ClientConfig;

    constructor(config?: pgTypes.ClientConfig) {
      super(config);
      this.#given = config ?? {};
      // A connection that ends while it is taken out of its pool would end the process, if nobody listens. Its queries
      // fail all the same.
      this.on("error", () => undefined);
    }

    override connect(done?: Done): unknown {
      const where = here(this.connect);
      const attempt = (next: native.Attempt) => this.#attempt(next);
      const login = told(plan, logIn(plan, this as unknown as Inner, this.#given, attempt, where));
      if (done === undefined) return login;
      // Out of the promise, so that what the callback throws is not taken for a refused login.
      login.then(
        () => process.nextTick(done),
        (error: Error) => process.nextTick(done, error),
      );
      return undefined;
    }

    async #attempt(connect: native.Attempt): Promise<void> {
      const server = serverOf(connect);
      if (plan.host !== undefined && plan.host !== server.host) Object.assign(server, { host: plan.host, addresses: [] });
      const given: Record<string, unknown> = { ...this.#given };
      // pg lets the one override all else, and would make the other for itself.
      delete given["connectionString"];
      delete given["Client"];
      const fresh = new plan.base({
        ...given,
        host: server.host,
        port: server.port,
        user: connect.user,
        ...(connect.params["dbname"] === undefined ? {} : { database: connect.params["dbname"] }),
        password: connect.password,
        connectionTimeoutMillis: Math.max(1, connect.timeoutMillis),
        ssl: plan.ssl ?? server.ssl,
        stream: () => new PinnedSocket(server),
      });
      const mine = this as unknown as Inner;
      if (mine._ending || mine.connection.stream.destroyed) throw new GivenUp();
      leave(mine);
      move(fresh, this);
      await new Promise<void>((resolve, reject) => {
        super.connect((error?: Error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    }
  } as unknown as typeof pgTypes.Client;
}

async function told(plan: Plan, login: Promise<void>): Promise<void> {
  try {
    await login;
  } catch (error) {
    plan.telemetry.failed(error);
    throw error;
  }
}

async function logIn(
  plan: Plan,
  inner: Inner,
  given: pgTypes.ClientConfig,
  attempt: (next: native.Attempt) => Promise<void>,
  where: { stack?: string },
): Promise<void> {
  // A moment less than the pool's own, whose error would hide what went wrong.
  const limit = given.connectionTimeoutMillis || undefined;
  const budget = limit && Math.max(1, limit - Math.min(200, limit / 10));
  const steps = new Steps(plan.client, plan.target, plan.wanted, budget, where);
  let failure: unknown;
  for (;;) {
    const next = await prepared(plan, inner, steps, failure);
    try {
      await attempt(next);
      steps.connected();
      return;
    } catch (error) {
      if (error instanceof GivenUp || error instanceof LakekeyError) throw error;
      failure = error;
    }
    leave(inner);
    // The failed connection ends by itself; a pool that gives up shall end this one instead.
    inner.connection.stream = new Socket();
    // To pg's `end` this is a client that has not connected yet; else it would wait for news of the connection that was left.
    inner.connection._connecting = false;
  }
}

/** The next attempt. A pool that gives up destroys the stream of the client that it waits for. */
async function prepared(plan: Plan, inner: Inner, steps: Steps, failure: unknown): Promise<native.Attempt> {
  const giveUp = new AbortController();
  const closed = () => giveUp.abort(new GivenUp());
  const { stream } = inner.connection;
  stream.once("close", closed);
  try {
    const began = performance.now();
    const next = await steps.next(failure, giveUp.signal);
    if (!next.cached) plan.telemetry.waited(next.password, performance.now() - began);
    return next;
  } finally {
    stream.off("close", closed);
  }
}

/** The pool ended the client. */
class GivenUp extends Error {
  constructor() {
    super("the connection was given up while it was being made");
  }
}

/** Leaves the connection behind: what it still has to say must not be taken for news of the next one. */
function leave(inner: Inner): void {
  clearTimeout(inner.connectionTimeoutHandle);
  inner.connection.removeAllListeners();
  inner.connection.on("error", () => undefined);
  inner.connection.stream.destroy();
}

const LISTENERS = new Set<PropertyKey>(["_events", "_eventsCount", "_maxListeners", "domain"]);

/** Moves the state of a client that nobody listens to yet; the listeners stay those of the other. */
function move(from: object, to: object): void {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
    if (!LISTENERS.has(name)) Object.defineProperty(to, name, property);
  }
}
