// lakekey: database credentials that rotate by themselves. `lakekey/pg` and `lakekey/postgres` have the drivers.

import * as native from "../native.cjs";

export { Client } from "./client.js";
export type { Stats } from "./client.js";
export type { ClientOptions, ConnectOptions, Credential, CredentialOptions } from "./client.js";
export { connectParams, conninfo, credential, defaultClient, token } from "./default.js";
export {
  ApiError,
  AuthError,
  CancelledError,
  ClosedError,
  ConfigError,
  ConninfoError,
  CredentialError,
  InternalError,
  LakekeyError,
  LakekeyTimeout,
  LoginError,
  ResolveError,
  TargetError,
  TransportError,
} from "./errors.js";
export type { Explanation } from "./errors.js";
export { explain } from "./refused.js";
export type { ProvidedToken, SdkConfig, TokenProvider } from "./provider.js";

/** The version of lakekey. */
export const version: string = native.version();
