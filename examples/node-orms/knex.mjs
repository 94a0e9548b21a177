// Knex: it takes a pool of pg in place of its own.

import knex from "knex";
import { createPool } from "lakekey/pg";

const pool = createPool();
const db = knex({ client: "pg", connectionPool: pool });
console.log(await db("orm.note").select("id", "body").orderBy("id"));
await db.destroy();
await pool.end();
