// Where a server is and how its certificate is verified, for every driver of this package.

import { readFileSync, statSync } from "node:fs";
import { isIP, Socket, type TcpNetConnectOpts } from "node:net";
import * as tls from "node:tls";

import type * as native from "../native.cjs";
import { argumentError } from "./errors.js";

/** How to verify a server: what `tls.connect` takes. */
export interface Verification {
  rejectUnauthorized: boolean;
  ca?: string | string[];
  checkServerIdentity?: () => undefined;
  /** The authorities, parsed already. */
  secureContext?: tls.SecureContext;
}

/** A server: the name that its certificate must have, and the addresses that lead to it. */
export interface Server {
  host: string;
  port: number;
  addresses: string[];
  /** `false`: no TLS. */
  ssl: Verification | false;
}

// The default of 250 ms gives up on a far server that is merely slow to answer.
const ATTEMPT_MILLIS = 3000;

/** Reads libpq's keywords. */
export function serverOf(connect: Pick<native.Connect, "params">): Server {
  const { host = "", port = "5432", hostaddr = "" } = connect.params;
  return {
    host: host.split(",")[0] ?? "",
    port: Number(port.split(",")[0]),
    addresses: [...new Set(hostaddr.split(",").filter((address) => address !== ""))],
    ssl: readyVerification(connect.params["sslmode"] ?? "verify-full", connect.params["sslrootcert"]),
  };
}

/**
 * What an `sslmode` means. All that encrypts also verifies by name, as pg and `@databricks/lakebase` do, except for
 * `verify-ca`, which leaves the name out, and `prefer` and `allow`, which ask for no verification.
 */
export function verification(mode: string, rootCert: string | undefined): Verification | false {
  const meant = meaningOf(mode);
  if (meant === false || !meant.rejectUnauthorized) return meant;
  const ca = authorities(rootCert);
  return ca === undefined ? meant : { ...meant, ca };
}

/** The same for one connection of many: reading the authorities costs more than all else that we do for one. */
function readyVerification(mode: string, rootCert: string | undefined): Verification | false {
  const meant = meaningOf(mode);
  return meant && { ...meant, secureContext: contextOf(meant.rejectUnauthorized ? (rootCert ?? "system") : "none") };
}

function meaningOf(mode: string): Verification | false {
  if (mode === "disable") return false;
  if (mode === "prefer" || mode === "allow") return { rejectUnauthorized: false };
  return { rejectUnauthorized: true, ...(mode === "verify-ca" ? { checkServerIdentity: () => undefined } : {}) };
}

/** By the file with the authorities, or by a word for others. A file that has changed is read again. */
const contexts = new Map<string, { state: string; context: tls.SecureContext }>();

function contextOf(source: string): tls.SecureContext {
  const state = source === "none" || source === "system" ? "" : stateOf(source);
  const known = contexts.get(source);
  if (known?.state === state) return known.context;
  const ca = source === "none" ? undefined : authorities(source);
  const context = tls.createSecureContext(ca === undefined ? {} : { ca });
  contexts.set(source, { state, context });
  return context;
}

function authorities(rootCert: string | undefined): string | string[] | undefined {
  if (rootCert === undefined || rootCert === "system") {
    // Node's own list does not know the authorities that were added to this machine; newer versions can tell them.
    const { getCACertificates } = tls as { getCACertificates?: (kind: string) => string[] };
    return getCACertificates && [...getCACertificates("default"), ...getCACertificates("system")];
  }
  return readable(rootCert, () => readFileSync(rootCert, "utf8"));
}

/** What tells one state of a file from the next. */
function stateOf(file: string): string {
  const { mtimeMs, size, ino } = readable(file, () => statSync(file));
  return `${mtimeMs} ${size} ${ino}`;
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw argumentError("sslrootcert", `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

/**
 * A socket that goes to the server's addresses whatever name it is told to connect to, so that drivers go on verifying
 * the name. With several addresses, each is tried.
 */
export class PinnedSocket extends Socket {
  readonly #server: Server;

  constructor(server: Server) {
    super();
    this.#server = server;
  }

  override connect(...given: unknown[]): this {
    const { addresses } = this.#server;
    if (typeof given[0] !== "number" || addresses.length === 0) {
      return (super.connect as (...given: unknown[]) => this)(...given);
    }
    return super.connect(dialling(this.#server, given[0]));
  }
}

/** What `net.connect` takes for this server. */
export function dialling(server: Server, port: number = server.port): TcpNetConnectOpts {
  const [first, ...more] = server.addresses;
  if (first === undefined) return { host: server.host, port };
  if (more.length === 0) return { host: first, port };
  const all = server.addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup = (_name: string, _options: unknown, found: (error: null, addresses: typeof all) => void) =>
    process.nextTick(found, null, all);
  return {
    host: server.host,
    port,
    lookup: lookup as unknown as NonNullable<TcpNetConnectOpts["lookup"]>,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MILLIS,
  } as TcpNetConnectOpts;
}
