// Logins that Postgres refused: which of them a fresh token may mend, and the error for the rest.

import * as native from "../native.cjs";
import type { Client } from "./client.js";
import { errorOf, LoginError } from "./errors.js";

/** Postgres refused the login. The message has the likeliest reason; the driver's own error is the cause. */
export class LoginRefused extends LoginError {
  /** Postgres' code for it, such as `28P01`. */
  sqlstate = "28P01";
}

/** Whether a login was refused for its token. */
export function refusesToken(error: unknown): boolean {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  const sqlstate = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : null;
  return sqlstate !== null && native.refusesToken(String(message), sqlstate);
}

/** Whether another token may help: not if this one was minted for this very login. */
export function renewable(client: Client, connect: native.Connect): boolean {
  if (!connect.cached) return false;
  client.invalidate(connect.password);
  return true;
}

/** The error to show for a login that stays refused. */
export function explained(error: unknown, connect: native.Connect, where: { stack?: string }): LoginRefused {
  const { message, code } = error as { message: string; code: string };
  const failure = native.loginFailure(message, code, connect.user, connect.subject ?? null);
  const plain = errorOf(failure, error, where);
  const refused = new LoginRefused(failure, error);
  if (plain.stack !== undefined) refused.stack = plain.stack.replace(plain.name, refused.name);
  refused.sqlstate = code;
  return refused;
}
