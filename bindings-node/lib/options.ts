// Looks at options before they cross to the native module: a misspelt one must not be ignored in silence.

import { argumentError } from "./errors.js";

/** What an option must be. */
export type Kind = "string" | "number" | "boolean" | "function" | "object" | "any";

/** Refuses what is no object, has an unknown key, or a value of another type. `undefined` and `null` mean "not given". */
export function checked<T extends object>(what: string, given: T | undefined | null, kinds: Record<string, Kind>): T {
  if (given === undefined || given === null) return {} as T;
  if (typeof given !== "object" || Array.isArray(given)) {
    throw argumentError(what, `must be an object, not ${described(given)}`);
  }
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw argumentError(`${what}.${name}`, `is not known; known are ${Object.keys(kinds).join(", ")}`);
    }
    if (value === undefined || value === null || kind === "any") continue;
    if (typeof value !== kind) throw argumentError(`${what}.${name}`, `must be a ${kind}, not ${described(value)}`);
    if (kind === "number" && !Number.isFinite(value)) throw argumentError(`${what}.${name}`, "must be a finite number");
  }
  return given;
}

/** A target, which may be left out. */
export function target(given: unknown): string | null {
  if (given === undefined || given === null) return null;
  if (typeof given !== "string") throw argumentError("target", `must be a string, not ${described(given)}`);
  return given;
}

/** The type only: a value of the wrong type may be a secret. */
export function described(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
