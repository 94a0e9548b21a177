// What every pool of pg gets from here, however its options were given.

import type * as pgTypes from "pg";
import * as pg from "pg";

import { dialer, type Plan } from "./dial.js";
import type { Telemetry } from "./telemetry.js";

// A connection outlives its token, but a pool that never reconnects finds out late that it may not log in any more.
const MAX_LIFETIME_SECONDS = 2700;
const JITTER = 0.1;

/** How long one connection is kept: 45 minutes, less up to a tenth, so that not all of them end in the same second. */
export function lifetime(): number {
  return Math.round(MAX_LIFETIME_SECONDS * (1 - JITTER * Math.random()));
}

/** The options by which pg logs in with current tokens. */
export function dialled(plan: Plan): pgTypes.PoolConfig {
  const { client, target, wanted } = plan;
  plan.telemetry.counts(client);
  const options = wanted.ttlMillis ? { ttlMillis: wanted.ttlMillis } : undefined;
  return {
    // For whoever dials without the class below.
    password: () => client.token(target, options),
    Client: dialer(plan) as unknown as NonNullable<pgTypes.PoolConfig["Client"]>,
  };
}

/** A stock pool. What its first login needs is started at once. */
export function pooled(plan: Plan, config: pgTypes.PoolConfig, onError: (error: Error) => void): pgTypes.Pool {
  const pool = new pg.Pool({ maxLifetimeSeconds: lifetime(), ...config });
  if (config.maxLifetimeSeconds === undefined) {
    // pg reads it for each new connection, so each gets its own.
    Object.defineProperty(pool.options, "maxLifetimeSeconds", { get: lifetime, enumerable: true, configurable: true });
  }
  watched(pool, plan.telemetry, onError);
  plan.client.prepare(plan.target, plan.wanted);
  return pool;
}

/** Listens to a pool's errors: without a listener the end of an idle connection ends the process. */
export function watched(pool: pgTypes.Pool, telemetry: Telemetry, onError: (error: Error) => void): void {
  telemetry.watch(pool);
  pool.on("error", (error) => {
    telemetry.failed(error);
    onError(error);
  });
}
