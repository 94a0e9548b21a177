// The private native module, as its build describes it. Written by native-types.mjs; times are milliseconds.

/** One dial and login. */
export interface Attempt {
  /** libpq's keywords for this one address, without the password. */
  params: Record<string, string>;
  /** The credential. */
  password: string;
  /** Whether the token was there already. */
  cached: boolean;
  /** The role to log in as. */
  user: string;
  /** How long dial and login may take together. */
  timeoutMillis: number;
  /** 1 for the first attempt of this connect. */
  number: number;
}

/** What a client is made from. */
export interface ClientOptions {
  /** Configuration attributes. */
  settings: Array<Setting>;
  /** The database of calls that name none. */
  target?: string | undefined;
  /** The budget of calls that name none. */
  timeoutMillis?: number | undefined;
  /** Added to the user agent. */
  product?: string | undefined;
  /** Whether and where processes share credentials. */
  sharedCredentials?: string | undefined;
}

/** How to connect once. */
export interface Connect {
  /** libpq's keywords, without the password. */
  params: Record<string, string>;
  /** The credential. */
  password: string;
  /** Whether the token was there already, so that a refused login earns a fresh one. */
  cached: boolean;
  /** The role to log in as. */
  user: string;
  /** The identity in the credential. */
  subject?: string | undefined;
  /** All of it as one connection string for libpq, the password in it. */
  conninfo: string;
}

/** Which connection is wanted. */
export interface ConnectRequest {
  /** The database server; none for the client's own. */
  target?: string | undefined;
  /** The database's name. */
  database?: string | undefined;
  /** The role to log in as. */
  user?: string | undefined;
  /** The port. */
  port?: number | undefined;
  /** libpq's `sslmode`. */
  sslmode?: string | undefined;
  /** libpq's `sslrootcert`. */
  sslrootcert?: string | undefined;
  /** How long the credential should live. */
  ttlMillis?: number | undefined;
  /** How long to wait. */
  timeoutMillis?: number | undefined;
}

/** A database credential. */
export interface Credential {
  /** The password. */
  token: string;
  /** Its end, in milliseconds since 1970. */
  expiresAt: number;
  /** When it was asked for, in milliseconds since 1970. */
  issuedAt: number;
  /** The endpoint's resource name. */
  endpoint: string;
  /** The identity in the token. */
  subject?: string | undefined;
}

/** Which credential is wanted. */
export interface CredentialRequest {
  /** The database; none for the client's own. */
  target?: string | undefined;
  /** How long the credential should live. */
  ttlMillis?: number | undefined;
  /** How long to wait for it. */
  timeoutMillis?: number | undefined;
}

/** What an error means for a login. */
export interface Explained {
  /** The kind of trouble, such as `role_missing`; `unknown` for what is not known. */
  kind: string;
  /** Whether another try may succeed. */
  retry: boolean;
  /** For how long: `never`, `once`, `short`, `wake`, `connect` or `branch`. */
  budget: string;
  /** Whether the cached token has to be thrown away first. */
  invalidate: boolean;
  /** The likeliest fix. */
  hint?: string | undefined;
}

/** What went wrong, as it crosses to JavaScript. */
export interface Failure {
  /** The stable number. */
  code: number;
  /** The stable name. */
  slug: string;
  /** What went wrong, without the hint. */
  message: string;
  /** What the reader can do about it. */
  hint?: string | undefined;
  /** The status of the workspace's answer. */
  httpStatus?: number | undefined;
  /** The workspace's id of the request. */
  requestId?: string | undefined;
  /** What the service itself calls it. */
  apiCode?: string | undefined;
  /** What the service says besides: the JSON of a list. */
  details?: string | undefined;
  /** Whether the same call may succeed later. */
  retryable: boolean;
  /** The messages of the causes, outermost first. */
  causes: Array<string>;
  /** What it means for a login, if it is about one. */
  explanation?: Explained | undefined;
  /** What happened before it, oldest first. */
  events: Array<string>;
  /** Which of the values that the token provider threw is the cause. */
  thrown?: number | undefined;
}

/** A distribution of values. */
export interface Histogram {
  /** The upper bound of each bucket, itself included; one more bucket has what is above the last. */
  bounds: Array<number>;
  /** How many values are in each bucket. */
  counts: Array<number>;
  /** How many values there are. */
  count: number;
  /** What they add up to. */
  sum: number;
}

/** What became of an attempt that failed, as the driver reports it. */
export interface LoginFailure {
  /** The driver's code, where it knows one: an SQLSTATE, `ECONNREFUSED`. */
  code?: string | undefined;
  /** The driver's text, whole. */
  text: string;
}

/** One published error code. */
export interface PublishedCode {
  /** The number. */
  code: number;
  /** The name. */
  slug: string;
  /** Whether the same call may succeed later. */
  retryable: boolean;
}

/** One configuration attribute by its Databricks name. */
export interface Setting {
  /** `host`, `token`, `client_id`, ... */
  name: string;
  /** Its value. */
  value: string;
}

/** What was counted in this process. Counts are exact up to two to the fifty-third. */
export interface Stats {
  /** Plain counts, by name. */
  counters: Record<string, number>;
  /** Calls that failed, by slug. */
  failures: Record<string, number>;
  /** Requests to mint that failed, by slug. */
  mintFailures: Record<string, number>;
  /** Login attempts that failed, by kind. */
  loginFailures: Record<string, number>;
  /** Durations and ages, by name. */
  histograms: Record<string, Histogram>;
  /** The workspace's clock minus this machine's in milliseconds, once an answer told it. */
  clockSkewMillis?: number | undefined;
}

/** The native part of a client. */
export declare class Client {
  private constructor();
  /** The token, if it is here and nothing is to be done about it. */
  peek(target?: string | undefined | null): string | null;
  /** A credential, minted if need be. */
  startCredential(request: CredentialRequest, deliver: (failure: Failure | null, value: Credential | null) => void): Pending | Failure | null;
  /** Everything that a driver needs for one login. */
  startConnect(request: ConnectRequest, deliver: (failure: Failure | null, value: Connect | null) => void): Pending | Failure | null;
  /** A client that is the user of this token and nobody else. */
  asUser(token: string): Client | Failure;
  /** Starts what a first such login needs, side by side, and returns at once. */
  prepare(request: ConnectRequest): Failure | null;
  /** Takes a token out of the cache because Postgres refused it; whether a fresh one is due. */
  invalidate(token: string): boolean | Failure;
  /** Ends the client: later calls fail. */
  close(): Failure | null;
}

/**
 * A call under way. Whoever waits for the call keeps it: when JavaScript drops it the wait ends, so that a worker that
 * is terminated leaves nothing behind.
 */
export declare class Pending {
  private constructor();
  /** Ends this wait; what others wait for goes on. Harmless after the end. */
  cancel(): void;
}

/** A connect under way. */
export declare class Plan {
  private constructor();
  /** The next attempt, after what became of the last one; fails with the error to show. */
  startNext(failure: LoginFailure | null, deliver: (failure: Failure | null, value: Attempt | null) => void): Pending | Failure | null;
  /** Tells that the last attempt succeeded. */
  connected(): void;
}

/** One request for a token. The first answer counts. */
export declare class Question {
  private constructor();
  /** The provider's token, and its end in milliseconds since 1970 if that is known. */
  give(token: string, expiresAt?: number | undefined | null): void;
  /** What the provider did instead, without the text of what it threw, which may quote a secret. */
  fail(what: string, thrown?: number | undefined | null): void;
}

/** The error for an argument that cannot be used. */
export declare function argumentFailure(name: string, problem: string): Failure;

/** The error of a call that was given up before it began. */
export declare function cancelled(): Failure;

/** Every published error code. */
export declare function codes(): Array<PublishedCode>;

/** What a driver's error means, by its code, if it knows one, and its text. */
export declare function explain(text: string, code?: string | undefined | null): Explained;

/** Whether any call of this process has started lakekey's threads. */
export declare function hasThreads(): boolean;

/** Every kind of trouble with a login. */
export declare function loginKinds(): Array<string>;

/** Makes a client. No I/O, no thread. */
export declare function open(options: ClientOptions, ask?: ((arg: Question) => void) | undefined | null): Client | Failure;

/** Begins a connect; its budget runs from here. */
export declare function openPlan(client: Client, request: ConnectRequest, budgetMillis?: number | undefined | null): Plan | Failure;

/** The last events of this process, oldest first, each with its time. */
export declare function recentEvents(client: Client): Array<string> | Failure;

/** Calls a method with the JSON of its arguments; gives the JSON of its answer. */
export declare function startCall(client: Client, method: string, json: string, timeoutMillis: number | null, deliver: (failure: Failure | null, value: string | null) => void): Pending | Failure | null;

/** Waits for an operation; gives the JSON that it ends with. `tell` is called with JSON while it goes on. */
export declare function startWait(client: Client, operation: string, timeoutMillis: number | null, tell: ((json: string) => void) | null, deliver: (failure: Failure | null, value: string | null) => void): Pending | Failure | null;

/** What was counted in this process since it began, over all its clients. */
export declare function stats(client: Client): Stats | Failure;

/** The version of lakekey. */
export declare function version(): string;
