// The private native module, as `src/` exports it. An option that is not given is `undefined`, a missing
// key is a mistake; times are milliseconds.

export interface Failure {
  code: number;
  slug: string;
  message: string;
  hint?: string;
  httpStatus?: number;
  requestId?: string;
  retryable: boolean;
  causes: string[];
  thrown?: number;
}

export interface PublishedCode {
  code: number;
  slug: string;
  retryable: boolean;
}

export interface ClientOptions {
  settings: { name: string; value: string }[];
  target: string | undefined;
  timeoutMillis: number | undefined;
  product: string | undefined;
}

export interface CredentialRequest {
  target: string | undefined;
  ttlMillis: number | undefined;
  timeoutMillis: number | undefined;
}

export interface Credential {
  token: string;
  expiresAt: number;
  issuedAt: number;
  endpoint: string;
  subject?: string;
}

export interface ConnectRequest {
  target: string | undefined;
  database: string | undefined;
  user: string | undefined;
  port: number | undefined;
  sslmode: string | undefined;
  sslrootcert: string | undefined;
  ttlMillis: number | undefined;
  timeoutMillis: number | undefined;
}

export interface Connect {
  params: Record<string, string>;
  password: string;
  cached: boolean;
  user: string;
  subject?: string;
  conninfo: string;
}

export type Deliver<T> = (failure: Failure | null, value: T | null) => void;

export declare class Client {
  private constructor();
  peek(target: string | null): string | null;
  asUser(token: string): Client | Failure;
  startCredential(request: CredentialRequest, deliver: Deliver<Credential>): Pending | Failure | null;
  startConnect(request: ConnectRequest, deliver: Deliver<Connect>): Pending | Failure | null;
  prepare(request: ConnectRequest): Failure | null;
  invalidate(token: string): boolean | Failure;
  close(): Failure | null;
}

export declare class Pending {
  private constructor();
  cancel(): void;
}

export declare class Question {
  private constructor();
  give(token: string, expiresAt: number | null): void;
  fail(what: string, thrown: number | null): void;
}

export declare function open(options: ClientOptions, ask: ((question: Question) => void) | null): Client | Failure;
export declare function argumentFailure(name: string, problem: string): Failure;
export declare function cancelled(): Failure;
export declare function codes(): PublishedCode[];
export declare function hasThreads(): boolean;
export declare function loginFailure(
  text: string,
  sqlstate: string | null,
  user: string,
  subject: string | null,
): Failure;
export declare function refusesToken(text: string, sqlstate: string | null): boolean;
export declare function version(): string;
