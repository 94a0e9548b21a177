// ORMs and query builders over our pools: a stock pool is all they need, so each keeps working when tokens rotate.

import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { integer, pgSchema, text } from "drizzle-orm/pg-core";
import knex from "knex";
import { createPool, poolConfig } from "lakekey/pg";
import { createSql } from "lakekey/postgres";

import { emulated, until } from "./emulator.mjs";

const emulator = emulated();
const ends = [];
emulator.prepare = async () => {
  const pool = createPool({ client: emulator.client() });
  await pool.query("create schema if not exists orm");
  await pool.query("create table if not exists orm.note (id int primary key, body text)");
  await pool.query("insert into orm.note values (1, 'one'), (2, 'two') on conflict do nothing");
  await pool.end();
};
beforeEach(() => Promise.all(ends.splice(0).map((end) => end())));
after(() => Promise.all(ends.map((end) => end())));

const note = pgSchema("orm").table("note", { id: integer("id").primaryKey(), body: text("body") });

// A query, every token refused and every connection killed, and a query again.
async function survives(query) {
  assert.deepEqual(await query(), ["one", "two"]);
  await emulator.tokens({ rotate_key: true });
  await emulator.admin("POST", "/connections/kill", { how: "57P01" });
  // A connection that was killed while idle is found out by its next query.
  await until(() => query().then((bodies) => bodies.length === 2, () => false), 10_000);
}

function pool() {
  const made = createPool({ client: emulator.client(), max: 2 });
  ends.push(() => made.end());
  return made;
}

test("Drizzle over pg", async () => {
  const db = drizzle({ client: pool() });
  await survives(async () => (await db.select().from(note).orderBy(note.id)).map(({ body }) => body));
  const { rows } = await db.execute(sql`select count(*)::int as n from orm.note`);
  assert.equal(rows[0].n, 2);
});

test("Drizzle over postgres.js", async () => {
  const client = createSql({ client: emulator.client(), max: 2 });
  ends.push(() => client.end({ timeout: 1 }));
  const db = drizzlePostgres({ client });
  await survives(async () => (await db.select().from(note).orderBy(note.id)).map(({ body }) => body));
});

test("Knex with an external pool", async () => {
  const db = knex({ client: "pg", connectionPool: pool() });
  await survives(async () => (await db("orm.note").select("body").orderBy("id")).map(({ body }) => body));
});

test("Kysely", async () => {
  const { Kysely, PostgresDialect } = await import("kysely");
  const db = new Kysely({ dialect: new PostgresDialect({ pool: pool() }) });
  const query = () => db.withSchema("orm").selectFrom("note").select("body").orderBy("id").execute();
  await survives(async () => (await query()).map(({ body }) => body));
});

test("TypeORM, whose own pool takes our options", async () => {
  const { DataSource } = await import("typeorm");
  const extra = poolConfig({ client: emulator.client(), max: 2 });
  const source = new DataSource({ type: "postgres", extra, poolErrorHandler: () => undefined });
  await source.initialize();
  ends.push(() => source.destroy());
  await survives(async () => (await source.query("select body from orm.note order by id")).map(({ body }) => body));
});
