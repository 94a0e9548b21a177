// The functions of the package: those of one client that is made from the environment at its first use.

import { Client, type ConnectOptions, type Credential, type CredentialOptions } from "./client.js";

let made: Client | undefined;

/** The client of the functions below. */
export function defaultClient(): Client {
  made ??= new Client();
  return made;
}

/** A database credential's token: the password of one login. */
export async function token(target?: string | null, options?: CredentialOptions): Promise<string> {
  return defaultClient().token(target, options);
}

/** A database credential with its times and identity. */
export async function credential(target?: string | null, options?: CredentialOptions): Promise<Credential> {
  return defaultClient().credential(target, options);
}

/** libpq's keywords and values for one login, the password among them. */
export async function connectParams(
  target?: string | null,
  options?: ConnectOptions,
): Promise<Record<string, string>> {
  return defaultClient().connectParams(target, options);
}

/** The same as one connection string. The token is in it: do not log it. */
export async function conninfo(target?: string | null, options?: ConnectOptions): Promise<string> {
  return defaultClient().conninfo(target, options);
}
