// Every error of lakekey, as classes with stable codes. `code` and `slug` never change their meaning; messages may.

import * as native from "../native.cjs";

/** What an error means for a login. `kind` never changes its meaning; hints may. */
export type Explanation = Readonly<native.Explained>;

/** What went wrong, where it came from and what to do about it. */
export class LakekeyError extends Error {
  /** The stable number; its hundreds name the family. */
  readonly code: number;
  /** The stable name, such as `AUTH_DENIED`. */
  readonly slug: string;
  /** What you can do about it; the message says it as well. */
  readonly hint: string | undefined;
  /** The status of the workspace's answer, if one came. */
  readonly httpStatus: number | undefined;
  /** The workspace's id of the request, for a support case. */
  readonly requestId: string | undefined;
  /** Whether the same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** The messages of the causes, outermost first. */
  readonly causes: readonly string[];
  /** What the service itself calls it, such as `ALREADY_EXISTS`. */
  readonly apiCode: string | undefined;
  /** What the service says besides: objects with their type in `@type`. */
  readonly details: readonly Record<string, unknown>[];
  /** What it means for a login, if it is about one. */
  readonly explanation: Explanation | undefined;
  /** What happened in this process before it, oldest first, each with its time. No secrets. */
  readonly events: readonly string[];

  constructor(failure: native.Failure, cause?: unknown) {
    super(
      failure.hint === undefined ? failure.message : `${failure.message}. ${failure.hint}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = failure.code;
    this.slug = failure.slug;
    this.hint = failure.hint;
    this.httpStatus = failure.httpStatus;
    this.requestId = failure.requestId;
    this.retryable = failure.retryable;
    this.causes = failure.causes;
    this.explanation = failure.explanation;
    this.events = failure.events;
    this.apiCode = failure.apiCode;
    this.details = failure.details === undefined ? [] : JSON.parse(failure.details);
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** The configuration is incomplete, contradictory or wrong. */
export class ConfigError extends LakekeyError {}
/** The workspace does not accept the identity, or there is none. */
export class AuthError extends LakekeyError {}
/** The database is not named, not found, or not ready. */
export class TargetError extends LakekeyError {}
/** The workspace could not be reached, or gave no usable answer. */
export class TransportError extends LakekeyError {}
/** The workspace refused the request. */
export class ApiError extends LakekeyError {}
/** No usable database credential. */
export class CredentialError extends LakekeyError {}
/** A connection string or parameter is wrong. */
export class ConninfoError extends LakekeyError {}
/** The database's host name has no address. */
export class ResolveError extends LakekeyError {}
/** No login; `explanation` says what kind of trouble it was, and `cause` is the driver's own error. */
export class LoginError extends LakekeyError {
  /** Postgres' code for it, such as `3D000`, where the driver knows one. */
  sqlstate: string | undefined;
}
/** The call's own time limit passed. */
export class LakekeyTimeout extends LakekeyError {}
/** The call was cancelled; `cause` is the signal's reason. */
export class CancelledError extends LakekeyError {}
/** The client was closed. */
export class ClosedError extends LakekeyError {}
/** A defect of lakekey. */
export class InternalError extends LakekeyError {}

type Class = new (failure: native.Failure, cause?: unknown) => LakekeyError;

const FAMILIES: Record<number, Class> = {
  10: ConfigError,
  11: AuthError,
  12: TargetError,
  13: TransportError,
  14: ApiError,
  15: CredentialError,
  16: ConninfoError,
  17: ResolveError,
  18: LoginError,
};

const SINGLES: Record<number, Class> = {
  1901: LakekeyTimeout,
  1902: CancelledError,
  1903: ClosedError,
  1904: ClosedError,
  1990: InternalError,
  1991: InternalError,
};

/** The class for a code; the base class for one of a later release. */
export function classOf(code: number): Class {
  return SINGLES[code] ?? FAMILIES[Math.floor(code / 100)] ?? LakekeyError;
}

/** The error for what the native module reports. The stack is the caller's, which `where` was made in. */
export function errorOf(failure: native.Failure, cause?: unknown, where?: { stack?: string }): LakekeyError {
  const error = new (classOf(failure.code))(failure, cause ?? nested(failure.causes));
  const frames = where?.stack?.split("\n").slice(1).join("\n");
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}

/** The error for an argument that cannot be used. */
export function argumentError(name: string, problem: string, cause?: unknown): LakekeyError {
  return errorOf(native.argumentFailure(name, problem), cause);
}

/** Where a call came from, without the functions above `below`. */
export function here(below: Function): { stack?: string } {
  const where = { stack: "" };
  Error.captureStackTrace(where, below);
  return where;
}

function nested(causes: readonly string[]): Error | undefined {
  return causes.reduceRight<Error | undefined>(
    (inner, message) => new Error(message, inner === undefined ? undefined : { cause: inner }),
    undefined,
  );
}
