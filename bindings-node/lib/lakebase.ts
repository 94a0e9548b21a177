// The functions of `@databricks/lakebase`, with its options and its environment, so that moving is one changed import.

import type * as pgTypes from "pg";
import * as pg from "pg";

import { dialling, PinnedSocket, verification, type Server } from "./address.js";
import { Client } from "./client.js";
import type { Plan } from "./dial.js";
import { argumentError } from "./errors.js";
import { dialled, lifetime, pooled, watched } from "./pool.js";
import type { SdkConfig } from "./provider.js";
import { Telemetry, type TelemetryOptions } from "./telemetry.js";

/** What gets a pool's log lines. */
export interface Logger {
  debug(message: string, ...args: unknown[]): void;
  info(message: string, ...args: unknown[]): void;
  warn(message: string, ...args: unknown[]): void;
  error(message: string, ...args: unknown[]): void;
}

/** Which log lines go to the console. */
export interface LoggerConfig {
  debug?: boolean;
  info?: boolean;
  warn?: boolean;
  error?: boolean;
}

/** A client of the Databricks SDK, as far as it is used here. */
export interface WorkspaceClient {
  config: SdkConfig;
  currentUser?: { me(): Promise<{ userName?: string | undefined }> };
}

/** Options of `@databricks/lakebase`: those of pg, and its own. */
export interface LakebasePoolConfig extends pgTypes.PoolConfig {
  /** Whose identity is used; left out, the environment's. */
  workspaceClient?: WorkspaceClient;
  /** The endpoint's resource path; left out, `LAKEBASE_ENDPOINT`. */
  endpoint?: string;
  /** TLS; left out, `PGSSLMODE`, else verified by name. */
  sslMode?: "require" | "disable" | "prefer" | "verify-ca" | "verify-full";
  /** What is recorded by OpenTelemetry, where the program has it; left out, all. */
  telemetry?: TelemetryOptions;
  /** Where errors of idle connections are logged; left out, the console. */
  logger?: Logger | LoggerConfig;
}

const SSL_MODES = ["require", "disable", "prefer", "verify-ca", "verify-full"];
const DEFAULTS = { max: 10, idleTimeoutMillis: 30_000, connectionTimeoutMillis: 10_000 };
const OURS = ["workspaceClient", "endpoint", "sslMode", "telemetry", "logger", "connectionString"] as const;

/** A stock `pg.Pool`, from the options and environment of `@databricks/lakebase`. */
export function createLakebasePool(config?: Partial<LakebasePoolConfig>): pgTypes.Pool {
  const given = config ?? {};
  const plan = planOf(given);
  const onError = (error: Error) => report(given.logger, error);
  if (plan === undefined) {
    const pool = new pg.Pool(getLakebasePgConfig(given));
    watched(pool, new Telemetry(given.telemetry), onError);
    return pool;
  }
  return pooled(plan, configOf(given, plan), onError);
}

/** Options for `new pg.Pool`, from the options and environment of `@databricks/lakebase`. */
export function getLakebasePgConfig(
  config?: Partial<LakebasePoolConfig>,
  _telemetry?: unknown,
  _logger?: Logger,
): pgTypes.PoolConfig {
  const given = config ?? {};
  return { maxLifetimeSeconds: lifetime(), ...configOf(given, planOf(given)) };
}

/**
 * Connection settings for ORMs that make their own pool, such as TypeORM and Sequelize.
 *
 * Sequelize makes its clients of `dialectModule`, and TypeORM hands `extra` to pg's pool: this way they log in by the class
 * that answers a refused token with a fresh one.
 */
export function getLakebaseOrmConfig(config?: Partial<LakebasePoolConfig>) {
  const { user, password, ssl, Client, ...rest } = getLakebasePgConfig(config);
  if (rest.host === undefined) throw missing("host", "PGHOST");
  if (rest.database === undefined) throw missing("database", "PGDATABASE");
  if (user === undefined) throw missing("user", "PGUSER or DATABRICKS_CLIENT_ID");
  const orm = { ...rest, username: user, password, ssl: ssl ?? false };
  if (Client === undefined) return orm;
  const { host: _host, port: _port, database: _database, ...pool } = rest;
  const dialectModule = Object.create(pg, { Client: { value: Client, enumerable: true } }) as typeof pg;
  return { ...orm, dialectModule, extra: { ...pool, Client } };
}

/** The role to log in as: `user`, `PGUSER`, `DATABRICKS_CLIENT_ID`, else what the workspace says. */
export async function getUsernameWithApiLookup(config?: Partial<LakebasePoolConfig>): Promise<string | undefined> {
  const given = config ?? {};
  const known = userOf(given);
  if (known !== undefined) return known;
  try {
    const me = await given.workspaceClient?.currentUser?.me();
    return me?.userName ?? (await clientOf(given).credential(given.endpoint)).subject;
  } catch {
    // As there: the caller decides what a missing name means.
    return undefined;
  }
}

function planOf(given: Partial<LakebasePoolConfig>): Plan | undefined {
  const telemetry = new Telemetry(given.telemetry);
  if (given.password !== undefined) return undefined;
  return {
    client: clientOf(given),
    target: given.endpoint ?? null,
    host: given.host,
    base: (given.Client as typeof pgTypes.Client | undefined) ?? pg.Client,
    wanted: { database: given.database, user: given.user, port: given.port, sslmode: modeOf(given.sslMode) },
    ssl: given.ssl,
    telemetry,
  };
}

function clientOf(given: Partial<LakebasePoolConfig>): Client {
  return new Client(given.workspaceClient && { tokenProvider: given.workspaceClient });
}

function configOf(given: Partial<LakebasePoolConfig>, plan: Plan | undefined): pgTypes.PoolConfig {
  const own: Record<string, unknown> = { ...given };
  for (const name of OURS) delete own[name];
  const server = serverOf(given);
  return defined({
    ...DEFAULTS,
    ...own,
    host: server.host,
    port: server.port,
    user: userOf(given),
    database: given.database ?? process.env["PGDATABASE"],
    ssl: given.ssl ?? server.ssl,
    ...(plan === undefined ? {} : dialled(plan)),
    ...(server.addresses.length === 0 || dialling(server).host === server.host
      ? {}
      : { stream: () => new PinnedSocket(server) }),
  });
}

/** The server as options and environment name it; the class that dials knows better, but ORMs do not use it. */
function serverOf(given: Partial<LakebasePoolConfig>): Omit<Server, "host"> & { host: string } {
  const { PGHOST, PGHOSTADDR, PGPORT, PGSSLMODE, PGSSLROOTCERT } = process.env;
  const port = given.port ?? Number.parseInt(PGPORT ?? "5432", 10);
  if (!Number.isInteger(port)) throw argumentError("port (PGPORT)", "must be a whole number");
  const host = given.host ?? PGHOST;
  const pinned = host !== undefined && host === PGHOST && PGHOSTADDR ? PGHOSTADDR.split(",") : [];
  return {
    host: host as string,
    port,
    addresses: pinned,
    ssl: verification(modeOf(given.sslMode ?? PGSSLMODE) ?? "verify-full", PGSSLROOTCERT),
  };
}

function modeOf(mode: string | undefined): string | undefined {
  if (mode !== undefined && !SSL_MODES.includes(mode)) {
    throw argumentError("sslMode (PGSSLMODE)", `is ${mode}; known are ${SSL_MODES.join(", ")}`);
  }
  return mode;
}

function userOf(given: Partial<LakebasePoolConfig>): string | undefined {
  return given.user || process.env["PGUSER"] || process.env["DATABRICKS_CLIENT_ID"] || undefined;
}

function missing(option: string, variable: string): Error {
  return argumentError(option, `is not given; an ORM that dials by itself needs it. Set it, or ${variable}`);
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

function report(logger: Logger | LoggerConfig | undefined, error: Error): void {
  const log = logger ?? { error: true };
  if (typeof log.error === "function") log.error("connection pool error: %s", error.message);
  else if (log.error) console.error("lakekey: connection pool error: %s", error.message);
}
