// Drizzle: give it a pool. `createSql` of lakekey/postgres does the same for drizzle-orm/postgres-js.

import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgSchema, text } from "drizzle-orm/pg-core";
import { createPool } from "lakekey/pg";

const note = pgSchema("orm").table("note", { id: integer("id").primaryKey(), body: text("body") });
const pool = createPool();
const db = drizzle({ client: pool });
console.log(await db.select().from(note).orderBy(note.id));
await pool.end();
