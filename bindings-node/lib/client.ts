// The client: the native one with promises, cancelling and friendly options.

import * as native from "../native.cjs";
import { argumentError, errorOf, here } from "./errors.js";
import { Postgres } from "./management/service.js";
import { checked, target as targetOf, type Kind } from "./options.js";
import { adapt, hostOf, thrownBy, type TokenProvider } from "./provider.js";

/** What a client is made from. What is left out comes from the environment and from `~/.databrickscfg`. */
export interface ClientOptions {
  /** The database of calls that name none. */
  target?: string | null | undefined;
  /** The workspace. */
  host?: string | null | undefined;
  /** A personal access token. */
  token?: string | null | undefined;
  /** A service principal. */
  clientId?: string | null | undefined;
  /** Its secret. */
  clientSecret?: string | null | undefined;
  /** A profile of the configuration file. */
  profile?: string | null | undefined;
  /** The configuration file. */
  configFile?: string | null | undefined;
  /** The way to authenticate, such as `pat` or `oauth-m2m`. */
  authType?: string | null | undefined;
  /** Where workspace tokens come from: a function, or a client of the Databricks SDK. */
  tokenProvider?: TokenProvider | null | undefined;
  /** The budget of calls that name none. */
  timeoutMillis?: number | null | undefined;
  /** Added to the user agent, such as `myapp/1.0`. */
  product?: string | null | undefined;
  /**
   * Whether processes of this user on this host share credentials: `on` (through files below `XDG_RUNTIME_DIR`), the
   * absolute path of a directory, either after `required:`, or `off`. Without it `LAKEKEY_SHARED_CREDENTIALS` says so.
   */
  sharedCredentials?: string | null | undefined;
  /** Further configuration attributes by their Databricks names. */
  attributes?: Record<string, string> | null | undefined;
}

/** How a credential is wanted. */
export interface CredentialOptions {
  /** How long it should live. */
  ttlMillis?: number | null | undefined;
  /** How long to wait for it. */
  timeoutMillis?: number | null | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | null | undefined;
}

/** What a connection may differ in. What is left out comes from `PG*` variables, else from the workspace. */
export interface ConnectOptions extends CredentialOptions {
  database?: string | null | undefined;
  user?: string | null | undefined;
  port?: number | null | undefined;
  sslmode?: string | null | undefined;
  sslrootcert?: string | null | undefined;
}

/** What was counted in a process. Nothing in it is secret. */
export type Stats = Readonly<native.Stats>;

/** A database credential. */
export interface Credential {
  /** The password of a login. */
  token: string;
  expiresAt: Date;
  issuedAt: Date;
  /** The endpoint's resource name. */
  endpoint: string;
  /** The identity in the token. */
  subject: string | undefined;
}

const CLIENT_OPTIONS: Record<keyof ClientOptions, Kind> = {
  target: "string",
  host: "string",
  token: "string",
  clientId: "string",
  clientSecret: "string",
  profile: "string",
  configFile: "string",
  authType: "string",
  tokenProvider: "any",
  timeoutMillis: "number",
  product: "string",
  sharedCredentials: "string",
  attributes: "object",
};

const CREDENTIAL_OPTIONS: Record<keyof CredentialOptions, Kind> = {
  ttlMillis: "number",
  timeoutMillis: "number",
  signal: "object",
};

const PREPARE_OPTIONS: Record<Exclude<keyof ConnectOptions, "signal">, Kind> = {
  ttlMillis: "number",
  timeoutMillis: "number",
  database: "string",
  user: "string",
  port: "number",
  sslmode: "string",
  sslrootcert: "string",
};

const CONNECT_OPTIONS: Record<keyof ConnectOptions, Kind> = { ...CREDENTIAL_OPTIONS, ...PREPARE_OPTIONS };

/** Everything that a driver needs for one login. Not a method, because it is for this package's own drivers. */
export let connectOf: (
  client: Client,
  target: string | null | undefined,
  options: ConnectOptions | undefined,
  where: { stack?: string },
) => Promise<native.Connect>;

/** When the native cache was asked. */
interface Moment {
  /** Wall time: it goes on while a laptop sleeps. */
  millis: number;
  /** How often this thread had changed the cache by then. */
  changes: number;
}

/** For how long its answer is repeated; every margin of a credential is far longer. */
const REPEATED_MILLIS = 16;

let changes = 0;

/** What was said of tokens may be over: a connect may have thrown one away. */
export function tokensChanged(): void {
  changes += 1;
}

/** How often this thread repeated an answer: such a token is a cached one as well. */
let repeats = 0;

/** Whether an answer of then may be repeated. Not after the clock was set, forwards or backwards. */
function isStill(then: Moment): boolean {
  const passed = Date.now() - then.millis;
  return passed >= 0 && passed < REPEATED_MILLIS && then.changes === changes;
}

/** The native part of a client, for this package's own calls. */
export let nativeOf: (client: Client) => native.Client;

/** What the next `Client` takes over instead of opening one of its own: a user's. */
let adopted: native.Client | undefined;

/**
 * Mints, keeps and rotates database credentials. Making one does no I/O and starts no thread.
 *
 * Clients of one process share credentials, so one per pool is as good as one for all.
 */
export class Client {
  readonly #native: native.Client;
  /** The last answer of the native cache: to ask costs more than all else of a warm call. */
  #seen: { target: string | null | undefined; token: Promise<string>; moment: Moment } | undefined;

  constructor(options?: ClientOptions) {
    if (adopted) {
      this.#native = adopted;
      adopted = undefined;
      return;
    }
    const given = checked("options", options, CLIENT_OPTIONS);
    const provider = given.tokenProvider ?? undefined;
    const named = {
      host: given.host ?? (provider && hostOf(provider)),
      token: given.token,
      client_id: given.clientId,
      client_secret: given.clientSecret,
      profile: given.profile,
      config_file: given.configFile,
      auth_type: given.authType,
      ...given.attributes,
    };
    const settings = Object.entries(named).flatMap(([name, value]) => {
      if (value === undefined || value === null) return [];
      if (typeof value !== "string") throw argumentError(`options.attributes.${name}`, "must be a string");
      return [{ name, value }];
    });
    this.#native = opened(
      native.open(
        {
          settings,
          target: given.target ?? undefined,
          timeoutMillis: given.timeoutMillis ?? undefined,
          product: given.product ?? undefined,
          sharedCredentials: given.sharedCredentials ?? undefined,
        },
        provider === undefined ? null : adapt(provider),
      ),
      here(Client),
    );
  }

  /** A database credential's token: the password of one login. */
  token(target?: string | null, options?: CredentialOptions): Promise<string> {
    const seen = this.#seen;
    if (seen !== undefined && options === undefined && seen.target === target && isStill(seen.moment)) {
      repeats += 1;
      return seen.token;
    }
    return this.#token(target, options);
  }

  async #token(target: string | null | undefined, options: CredentialOptions | undefined): Promise<string> {
    const name = targetOf(target);
    const now = { millis: Date.now(), changes };
    const cached = options === undefined ? this.#native.peek(name) : null;
    if (cached === null) return (await this.#credential(name, options, here(this.token))).token;
    this.#seen = { target, token: Promise.resolve(cached), moment: now };
    return cached;
  }

  /** A database credential with its times and identity. */
  async credential(target?: string | null, options?: CredentialOptions): Promise<Credential> {
    const credential = await this.#credential(targetOf(target), options, here(this.credential));
    return {
      token: credential.token,
      expiresAt: new Date(credential.expiresAt),
      issuedAt: new Date(credential.issuedAt),
      endpoint: credential.endpoint,
      subject: credential.subject,
    };
  }

  /**
   * A client that is the user of this token, such as the one in an app's `X-Forwarded-Access-Token` header.
   *
   * It has credentials of its own, never falls back to the app's identity, and ends with the token. The 1000 users of the
   * last calls are kept, so call it anew for each request.
   */
  asUser(token: string): Client {
    if (typeof token !== "string") throw argumentError("token", "must be a string");
    adopted = opened(this.#native.asUser(token), here(this.asUser));
    return new Client();
  }

  /** The management API: projects, branches, endpoints, roles and the rest. */
  get postgres(): Postgres {
    return new Postgres(this);
  }

  /** libpq's keywords and values for one login, the password among them. */
  async connectParams(target?: string | null, options?: ConnectOptions): Promise<Record<string, string>> {
    const connect = await connectOf(this, target, options, here(this.connectParams));
    return { ...connect.params, password: connect.password };
  }

  /** The same as one connection string. The token is in it: do not log it. */
  async conninfo(target?: string | null, options?: ConnectOptions): Promise<string> {
    return (await connectOf(this, target, options, here(this.conninfo))).conninfo;
  }

  /** Starts what a first such login needs and returns at once; errors are left to that login. */
  prepare(target?: string | null, options?: Omit<ConnectOptions, "signal">): void {
    const failure = this.#native.prepare(connectRequest(target, checked("options", options, PREPARE_OPTIONS)));
    if (failure !== null) throw errorOf(failure);
  }

  /** Takes a token out of the cache because Postgres refused it; whether a fresh one is due. */
  invalidate(token: string): boolean {
    if (typeof token !== "string") throw argumentError("token", "must be a string");
    const due = this.#native.invalidate(token);
    changes += 1;
    if (typeof due !== "boolean") throw errorOf(due);
    return due;
  }

  /** What was counted in this process since it began, over all its clients: mints, logins, failures, waits, ages. */
  stats(): Stats {
    const stats = native.stats(this.#native);
    if ("slug" in stats) throw errorOf(stats);
    const { cache_hits = 0 } = stats.counters;
    return { ...stats, counters: { ...stats.counters, cache_hits: cache_hits + repeats } };
  }

  /** The last events of this process, oldest first, each with its time. No secrets. */
  recentEvents(): string[] {
    const events = native.recentEvents(this.#native);
    if (!Array.isArray(events)) throw errorOf(events);
    return events;
  }

  /** Ends the client: later calls fail. Harmless when repeated. */
  close(): void {
    const failure = this.#native.close();
    changes += 1;
    if (failure !== null) throw errorOf(failure);
  }

  #credential(target: string | null, options: CredentialOptions | undefined, where: { stack?: string }) {
    const given = checked("options", options, CREDENTIAL_OPTIONS);
    const request = { target: target ?? undefined, ttlMillis: given.ttlMillis ?? undefined, timeoutMillis: given.timeoutMillis ?? undefined };
    return waited<native.Credential>(
      (deliver) => this.#native.startCredential(request, deliver),
      given.signal ?? undefined,
      where,
    );
  }

  static {
    nativeOf = (client) => client.#native;
    connectOf = async (client, target, options, where) => {
      const given = checked("options", options, CONNECT_OPTIONS);
      const request = connectRequest(target, given);
      return waited<native.Connect>(
        (deliver) => client.#native.startConnect(request, deliver),
        given.signal ?? undefined,
        where,
      );
    };
  }
}

/** What a driver needs, as the native module takes it. */
export function connectRequest(target: string | null | undefined, given: ConnectOptions): native.ConnectRequest {
  const port = given.port ?? undefined;
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
    throw argumentError("options.port", "must be a whole number from 1 to 65535");
  }
  return {
    target: targetOf(target) ?? undefined,
    database: given.database ?? undefined,
    user: given.user ?? undefined,
    port,
    sslmode: given.sslmode ?? undefined,
    sslrootcert: given.sslrootcert ?? undefined,
    ttlMillis: given.ttlMillis ?? undefined,
    timeoutMillis: given.timeoutMillis ?? undefined,
  };
}

function opened(client: native.Client | native.Failure, where: { stack?: string }): native.Client {
  if ("slug" in client) throw errorOf(client, undefined, where);
  return client;
}

/** The promise of a native call. */
export function waited<T>(
  begin: (deliver: (failure: native.Failure | null, value: T | null) => void) => native.Pending | native.Failure | null,
  signal: AbortSignal | undefined,
  where: { stack?: string },
  ended?: (failure: native.Failure) => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) throw errorOf(native.cancelled(), signal.reason, where);
    let pending: native.Pending | undefined;
    const cancel = () => pending?.cancel();
    const begun = begin((failure, value) => {
      // The call is held by this function until it is over.
      pending = undefined;
      signal?.removeEventListener("abort", cancel);
      if (failure === null) {
        resolve(value as T);
        return;
      }
      const aborted = signal?.aborted && failure.slug === "CANCELLED";
      if (ended !== undefined && !aborted) {
        reject(ended(failure));
        return;
      }
      reject(errorOf(failure, aborted ? signal.reason : thrownBy(failure.thrown), where));
    });
    // It is over already.
    if (begun === null) return;
    if ("slug" in begun) throw errorOf(begun, undefined, where);
    pending = begun;
    signal?.addEventListener("abort", cancel, { once: true });
  });
}
