// postgres.js with credentials that rotate.
//
// A password function of postgres.js that fails ends the process, and one that is slow does so too, and it tries nothing
// twice. So lakekey dials and logs in itself, in its `socket` option, and what postgres.js gets is a session: it sends its
// start-up message and is told that it is in. A login that fails becomes the failure of that stream, and so the query's error.

import { Duplex } from "node:stream";

import postgres from "postgres";

import { Client, type ClientOptions } from "./client.js";
import { argumentError, here } from "./errors.js";
import { checked, described, target as targetOf } from "./options.js";
import { Login } from "./session.js";
import { Steps } from "./plan.js";

type Decided = "host" | "hostname" | "pass" | "password" | "path" | "socket" | "ssl";
type Given = Omit<postgres.Options<{}>, Decided>;

/** Options: those of postgres.js, and which database is meant. */
export interface SqlOptions extends Given {
  /** The database: a resource path, a short form of one, or a host name. Left out: `LAKEBASE_ENDPOINT`. */
  endpoint?: string | null | undefined;
  /** libpq's `sslmode`; `verify-full` when neither this nor `PGSSLMODE` says otherwise. */
  sslmode?: string | null | undefined;
  /** A file with certificate authorities, or `system`. */
  sslrootcert?: string | null | undefined;
  /** How long a credential should live. */
  ttlMillis?: number | null | undefined;
  /** Whose credentials: a client, or options of one. Left out: one made from the environment. */
  client?: Client | ClientOptions | null | undefined;
}

const REFUSED = ["host", "hostname", "pass", "password", "path", "socket", "ssl"];
const CONNECT_TIMEOUT_SECONDS = 30;

/** The `sql` of postgres.js. What its first login needs is started at once. */
export function createSql(options?: SqlOptions): postgres.Sql<{}> {
  return postgres(sqlOptions(options));
}

/** Options for postgres.js' own `postgres(...)`. They resolve and authenticate at each connect. */
export function sqlOptions(options?: SqlOptions): postgres.Options<{}> {
  const given: SqlOptions = options ?? {};
  if (typeof given !== "object") throw argumentError("options", `must be an object, not ${described(given)}`);
  for (const name of REFUSED) {
    if ((given as Record<string, unknown>)[name] !== undefined) {
      throw argumentError(`options.${name}`, "cannot be given here: lakekey finds the server and gives the password");
    }
  }
  const { endpoint, sslmode, sslrootcert, ttlMillis, client: whose, database, ...own } = given;
  const user = (own.user ?? own.username) as string | undefined;
  const port = Array.isArray(own.port) ? own.port[0] : own.port;
  const wanted = { database, user, port, sslmode, sslrootcert, ttlMillis };
  checked("options", wanted, {
    database: "string",
    user: "string",
    port: "number",
    sslmode: "string",
    sslrootcert: "string",
    ttlMillis: "number",
  });
  const target = targetOf(endpoint);
  const client = whose instanceof Client ? whose : new Client(whose ?? undefined);
  // A moment less than that of postgres.js, whose error would hide what went wrong.
  const theirs = 1000 * (own.connect_timeout ?? CONNECT_TIMEOUT_SECONDS);
  const limit = theirs > 0 ? Math.max(1, theirs - Math.min(200, theirs / 10)) : undefined;
  const where = here(sqlOptions);
  client.prepare(target, wanted);
  const dial = async (connection: Record<string, unknown>): Promise<Duplex> => {
    const steps = new Steps(client, target, wanted, limit, where);
    const first = await steps.next(undefined);
    // Read when the login begins, after this; the names that postgres.js itself was given are its guesses.
    Object.assign(connection, { user: first.user, database: first.params["dbname"] ?? first.user });
    return new Login(steps, first);
  };
  const socket = ({ connection }: { connection: Record<string, unknown> }) => dial(connection).catch(failing);
  return { ...own, ssl: false, password: "", socket } as postgres.Options<{}>;
}

/**
 * A stream whose first write fails with `error`. postgres.js counts a connection whose `socket` function rejected as
 * connecting for ever: after `max` of them every query waits without end. And one that fails before it was written to keeps
 * what was to be written, so that its next connection never speaks.
 */
function failing(error: Error): Duplex {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(error) });
}
