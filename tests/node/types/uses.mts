// Compiled and never run: what users write, and what the types must refuse.

import { Client, type Credential, LakekeyError, token } from "lakekey";
import { createLakebasePool, createPool, getLakebaseOrmConfig, LoginRefused, poolConfig } from "lakekey/pg";
import { createSql } from "lakekey/postgres";
import pg from "pg";

const client = new Client({ target: "shop.production", tokenProvider: async () => ({ token: "t", expiresAt: new Date() }) });
const text: string = await client.token("shop.production", { signal: AbortSignal.timeout(1000) });
const credential: Credential = await client.credential(null, { ttlMillis: 60_000 });
const params: Record<string, string> = await client.connectParams();
void [text, credential.expiresAt.getTime(), params, token];

const pool: pg.Pool = createPool({ endpoint: "shop.production", max: 4, client, application_name: "app" });
const other: pg.Pool = new pg.Pool(poolConfig({ client: { host: "https://example.com" } }));
const lakebase: pg.Pool = createLakebasePool({ max: 4, sslMode: "verify-full" });
const username: string | undefined = getLakebaseOrmConfig().username;
const sql = createSql({ endpoint: "shop.production", max: 4 });
const rows: { one: number }[] = await sql<{ one: number }[]>`select 1 as one`;
void [pool, other, lakebase, username, rows];

try {
  await pool.query("select 1");
} catch (error) {
  if (error instanceof LakekeyError) void [error.code.toFixed(), error.slug, error.httpStatus, error.retryable];
  if (error instanceof LoginRefused) void error.sqlstate.length;
}

// @ts-expect-error a misspelt option
new Client({ tokn: "x" });
// @ts-expect-error the token is decided by lakekey
createPool({ password: "x" });
// @ts-expect-error it would override everything beside it
createPool({ connectionString: "postgres://" });
// @ts-expect-error the server is found by lakekey
createSql({ host: "x" });
// @ts-expect-error an error has a number for a code
const wrong: string = new LakekeyError({} as never).code;
void wrong;
