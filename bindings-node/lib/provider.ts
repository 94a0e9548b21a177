// What users give as `tokenProvider`, made into one function that the native module can ask.

import type * as native from "../native.cjs";
import { argumentError } from "./errors.js";
import { described } from "./options.js";

/** A workspace token, with its end if that is known: a `Date` or milliseconds since 1970. */
export interface ProvidedToken {
  token: string;
  expiresAt?: Date | number | null | undefined;
}

/** A client of the Databricks SDK, or its `config`: what can add the `Authorization` header to a request. */
export interface SdkConfig {
  host?: string | undefined;
  authenticate(headers: Headers): Promise<void> | void;
}

/** Where workspace tokens come from. */
export type TokenProvider =
  | (() => string | ProvidedToken | Promise<string | ProvidedToken>)
  | SdkConfig
  | { config: SdkConfig };

// What providers threw, until the error that it is the cause of is made. Errors are shared by all who wait, so entries
// stay for a while; only the last ones do.
const thrown = new Map<number, unknown>();
const KEPT = 64;
let last = 0;

/** What a provider threw. */
export function thrownBy(number: number | undefined): unknown {
  return number === undefined ? undefined : thrown.get(number);
}

/** The workspace that an SDK client is for. */
export function hostOf(provider: TokenProvider): string | undefined {
  const host = configOf(provider)?.host;
  return typeof host === "string" && host !== "" ? host : undefined;
}

/** The function that the native module asks. It never throws. */
export function adapt(provider: TokenProvider): (question: native.Question) => void {
  const source = sourceOf(provider);
  return (question) => {
    void answer(question, source);
  };
}

async function answer(question: native.Question, source: () => unknown): Promise<void> {
  let given: unknown;
  try {
    given = await source();
  } catch (error) {
    last = (last % 0x7fffffff) + 1;
    thrown.set(last, error);
    for (const oldest of thrown.keys()) {
      if (thrown.size <= KEPT) break;
      thrown.delete(oldest);
    }
    question.fail(`threw ${error instanceof Error ? error.name : described(error)}`, last);
    return;
  }
  const { token, expiresAt } = (typeof given === "object" && given !== null ? given : { token: given }) as {
    token: unknown;
    expiresAt?: unknown;
  };
  if (typeof token !== "string") {
    question.fail(`gave ${described(given)} where a string or {token, expiresAt} is expected`, null);
    return;
  }
  const end = expiresAt instanceof Date ? expiresAt.getTime() : (expiresAt ?? null);
  if (end !== null && (typeof end !== "number" || !Number.isFinite(end))) {
    question.fail("gave an expiresAt that is neither a Date nor milliseconds since 1970", null);
    return;
  }
  question.give(token, end);
}

function sourceOf(provider: TokenProvider): () => unknown {
  const config = configOf(provider);
  if (config !== undefined) {
    return async () => {
      const headers = new Headers();
      await config.authenticate(headers);
      const [scheme, token] = (headers.get("authorization") ?? "").split(" ", 2);
      if (scheme?.toLowerCase() !== "bearer" || !token) {
        throw new TypeError("the SDK's authenticate() set no Authorization header with a bearer token");
      }
      return token;
    };
  }
  if (typeof provider === "function") return provider;
  throw argumentError(
    "tokenProvider",
    `must be a function that gives a workspace token, or a client of the Databricks SDK, not ${described(provider)}`,
  );
}

function configOf(provider: TokenProvider): SdkConfig | undefined {
  for (const candidate of [provider, (provider as { config?: unknown } | null)?.config]) {
    if (typeof (candidate as Partial<SdkConfig> | null | undefined)?.authenticate === "function") {
      return candidate as SdkConfig;
    }
  }
  return undefined;
}
