// Kysely: its dialect takes a pool.

import { Kysely, PostgresDialect } from "kysely";
import { createPool } from "lakekey/pg";

const db = new Kysely({ dialect: new PostgresDialect({ pool: createPool() }) });
console.log(await db.withSchema("orm").selectFrom("note").selectAll().orderBy("id").execute());
await db.destroy();
