// Logins that failed: what their error means, and the error to show.

import * as native from "../native.cjs";
import { errorOf, LakekeyError, LoginError, type Explanation } from "./errors.js";

/** Postgres refused the login. The message has the likeliest reason; the driver's own error is the cause. */
export class LoginRefused extends LoginError {
  /** Postgres' code for it, such as `28P01`. */
  override sqlstate = "28P01";
}

/** Long enough for any chain of causes that a program makes on purpose. */
const DEEPEST = 20;

/**
 * What an error of pg, postgres.js, Node or lakekey means for a login. Its causes are looked through as well; the first
 * that says anything counts. An error that no login would have is of the kind `unknown`.
 */
export function explain(error: unknown): Explanation {
  let last: Explanation = native.explain("", null);
  const waiting: unknown[] = [error];
  for (let seen = 0; waiting.length > 0 && seen < DEEPEST; seen++) {
    const one = waiting.shift();
    if (one === undefined || one === null) continue;
    if (one instanceof LakekeyError) {
      const explanation = one.explanation ?? native.explain("", one.slug);
      if (explanation.kind !== "unknown") return explanation;
      if (last.hint === undefined) last = { ...explanation, retry: one.retryable, hint: one.hint };
    } else {
      const { code, text } = described(one);
      const explanation = native.explain(text, code ?? null);
      if (explanation.kind !== "unknown") return explanation;
    }
    const { errors, cause } = one as { errors?: unknown; cause?: unknown };
    if (Array.isArray(errors)) waiting.push(...(errors as unknown[]));
    waiting.push(cause);
  }
  return last;
}

/** A driver's error as the core takes it. Of several in one, such as one for each address, the first has the code. */
export function described(error: unknown): native.LoginFailure {
  const { message, detail, code, errors } = (typeof error === "object" && error !== null ? error : {}) as {
    message?: unknown;
    detail?: unknown;
    code?: unknown;
    errors?: unknown;
  };
  const inner = Array.isArray(errors) ? (errors as unknown[]).map((one) => described(one).text) : [];
  const said = typeof message === "string" ? message : typeof error === "string" ? error : "";
  // Where Postgres' drivers keep the rest of what the server said.
  const more = typeof detail === "string" ? detail : "";
  return {
    text: [said, more, ...inner].filter((text) => text !== "").join("\n"),
    ...(typeof code === "string" ? { code } : {}),
  };
}

/** The error for a connect that failed, with the driver's last error as its cause. */
export function ended(failure: native.Failure, cause: unknown, where: { stack?: string }): LakekeyError {
  const plain = errorOf(failure, cause, where);
  if (!(plain instanceof LoginError)) return plain;
  const { code = "" } = described(cause);
  const sqlstate = /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
  if (failure.slug !== "LOGIN_REFUSED") return Object.assign(plain, { sqlstate });
  const refused = new LoginRefused(failure, cause);
  if (plain.stack !== undefined) refused.stack = plain.stack.replace(plain.name, refused.name);
  return sqlstate === undefined ? refused : Object.assign(refused, { sqlstate });
}
