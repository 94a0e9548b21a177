// pg with credentials that rotate: its own pools, each login with a current token.
//
// The token is fetched before the server is dialled, so that its own time limit for a login does not run meanwhile. When
// Postgres refuses a token that was in the cache, it is thrown away and the login is tried once more.

import type * as pgTypes from "pg";
import * as pg from "pg";

import { Client, type ClientOptions } from "./client.js";
import type { Plan } from "./dial.js";
import { argumentError } from "./errors.js";
import { checked, target as targetOf, type Kind } from "./options.js";
import { dialled, lifetime, pooled } from "./pool.js";
import { Telemetry, type TelemetryOptions } from "./telemetry.js";

export {
  createLakebasePool,
  getLakebaseOrmConfig,
  getLakebasePgConfig,
  getUsernameWithApiLookup,
} from "./lakebase.js";
export type { LakebasePoolConfig } from "./lakebase.js";
export { LoginRefused } from "./refused.js";
export type { TelemetryOptions } from "./telemetry.js";

/** pg's options that are decided here. */
type Decided = "connectionString" | "password" | "host" | "stream" | "Client";

/** Options of a pool: pg's own, and which database is meant. */
export interface PoolOptions extends Omit<pgTypes.PoolConfig, Decided> {
  /** The database: a resource path, a short form of one, or a host name. Left out: `LAKEBASE_ENDPOINT`. */
  endpoint?: string | null | undefined;
  /** libpq's `sslmode`; `verify-full` when neither this nor `PGSSLMODE` says otherwise. */
  sslmode?: string | null | undefined;
  /** A file with certificate authorities, or `system`. */
  sslrootcert?: string | null | undefined;
  /** How long a credential should live. */
  ttlMillis?: number | null | undefined;
  /** Whose credentials: a client, or options of one. Left out: one made from the environment. */
  client?: Client | ClientOptions | null | undefined;
  /** pg's `Client` class or one made from it. */
  Client?: typeof pgTypes.Client | null | undefined;
  /** Called for an error of an idle connection, which the pool replaces by itself. */
  onError?: ((error: Error) => void) | null | undefined;
  /** What is recorded by OpenTelemetry, where the program has it; left out, all. */
  telemetry?: TelemetryOptions | null | undefined;
}

const OURS = ["endpoint", "sslmode", "sslrootcert", "ttlMillis", "client", "Client", "onError", "telemetry"] as const;

const KINDS: Record<string, Kind> = {
  endpoint: "string",
  database: "string",
  user: "string",
  port: "number",
  sslmode: "string",
  sslrootcert: "string",
  ttlMillis: "number",
  client: "object",
  Client: "function",
  onError: "function",
  telemetry: "any",
  // pg's own.
  allowExitOnIdle: "boolean",
  application_name: "string",
  binary: "boolean",
  client_encoding: "string",
  connectionTimeoutMillis: "number",
  enableChannelBinding: "boolean",
  fallback_application_name: "string",
  idle_in_transaction_session_timeout: "any",
  idleTimeoutMillis: "any",
  keepAlive: "boolean",
  keepAliveInitialDelayMillis: "number",
  lock_timeout: "any",
  log: "function",
  max: "number",
  maxLifetimeSeconds: "number",
  maxUses: "number",
  min: "number",
  onConnect: "function",
  options: "string",
  Promise: "function",
  query_timeout: "any",
  ssl: "any",
  statement_timeout: "any",
  types: "any",
  verify: "function",
};

const REFUSED: Record<string, string> = {
  connectionString: "name the database as `endpoint`, and the rest by options: a string would override them",
  password: "lakekey gives the password; for a role with a native password use pg itself",
  host: "`endpoint` says which server is meant; a host name of one is an endpoint too",
  stream: "lakekey dials the server's addresses itself",
};

/**
 * Options for `new pg.Pool` and `new pg.Client`. They resolve and authenticate at each connect, so this does no I/O.
 */
export function poolConfig(options?: PoolOptions): pgTypes.PoolConfig {
  return { maxLifetimeSeconds: lifetime(), ...configOf(planOf(options), options) };
}

/**
 * A stock `pg.Pool`. What its first login needs is started at once.
 *
 * Connections are recycled after 45 minutes, less up to a tenth, unless you say otherwise.
 */
export function createPool(options?: PoolOptions): pgTypes.Pool {
  const plan = planOf(options);
  return pooled(plan, configOf(plan, options), (error) => options?.onError?.(error));
}

function planOf(options: PoolOptions | undefined): Plan {
  for (const [name, reason] of Object.entries(REFUSED)) {
    const given: unknown = (options as Record<string, unknown> | undefined)?.[name];
    if (given !== undefined && given !== null) throw argumentError(`options.${name}`, `cannot be given here: ${reason}`);
  }
  const given = checked<PoolOptions>("options", options, KINDS);
  return {
    client: given.client instanceof Client ? given.client : new Client(given.client ?? undefined),
    target: targetOf(given.endpoint),
    base: given.Client ?? pg.Client,
    wanted: {
      database: given.database,
      user: given.user,
      port: given.port,
      sslmode: given.sslmode,
      sslrootcert: given.sslrootcert,
      ttlMillis: given.ttlMillis,
    },
    ssl: given.ssl,
    telemetry: new Telemetry(given.telemetry),
  };
}

function configOf(plan: Plan, options: PoolOptions | undefined): pgTypes.PoolConfig {
  const own: Record<string, unknown> = { ...options };
  for (const name of OURS) delete own[name];
  return {
    ...own,
    ...dialled(plan),
  };
}
