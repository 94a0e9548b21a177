// ORMs and query builders over our pools: a stock pool is all they need, so each keeps working when tokens rotate.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, beforeEach, test } from "node:test";

import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { integer, pgSchema, text } from "drizzle-orm/pg-core";
import { PrismaPg } from "@prisma/adapter-pg";
import knex from "knex";
import { createPool, getLakebaseOrmConfig, poolConfig } from "lakekey/pg";
import { createSql } from "lakekey/postgres";
import pg from "pg";

import { emulated, until } from "./emulator.mjs";

const EXAMPLES = new URL("examples/node-orms/", import.meta.url);
// Prisma's command line knows no address beside the name of its server, and has to resolve it.
const emulator = emulated("--host-mode", "ip");
const ends = [];
emulator.prepare = async () => {
  const pool = createPool({ client: emulator.client() });
  await pool.query("create schema if not exists orm");
  await pool.query("create table if not exists orm.note (id int primary key, body text)");
  await pool.query("insert into orm.note values (1, 'one'), (2, 'two') on conflict do nothing");
  await pool.end();
  prisma(["generate"]);
};
beforeEach(() => Promise.all(ends.splice(0).map((end) => end())));
after(() => Promise.all(ends.map((end) => end())));

const note = pgSchema("orm").table("note", { id: integer("id").primaryKey(), body: text("body") });

// Runs Prisma's command line beside its example, as its users do.
function prisma(args, env = {}) {
  const program = join(dirname(createRequire(import.meta.url).resolve("prisma/package.json")), "build/index.js");
  const engine = fileURLToPath(new URL("schema-engine.mjs", import.meta.url));
  return execFileSync(process.execPath, [program, ...args], {
    cwd: fileURLToPath(EXAMPLES),
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: engine, CHECKPOINT_DISABLE: "1", ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
}

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

test("MikroORM, whose own pool takes our options", async () => {
  const { defineEntity, MikroORM, p } = await import("@mikro-orm/postgresql");
  const properties = { id: p.integer().primary(), body: p.text() };
  const entity = defineEntity({ name: "Note", schema: "orm", tableName: "note", properties });
  const driverOptions = poolConfig({ client: emulator.client(), max: 2 });
  const orm = await MikroORM.init({ entities: [entity], dbName: "databricks_postgres", driverOptions });
  ends.push(() => orm.close());
  const query = () => orm.em.fork().find(entity, {}, { orderBy: { id: "asc" } });
  await survives(async () => (await query()).map(({ body }) => body));
});

test("Sequelize, whose own pool makes clients of our class", async () => {
  const { Sequelize } = await import("sequelize");
  const { Client } = poolConfig({ client: emulator.client() });
  const sequelize = new Sequelize({ dialect: "postgres", dialectModule: { ...pg, Client }, logging: false });
  ends.push(() => sequelize.close());
  const query = () => sequelize.query("select body from orm.note order by id");
  await survives(async () => (await query())[0].map(({ body }) => body));
});

test("TypeORM and Sequelize by the settings that @databricks/lakebase has for them", async () => {
  const [{ DataSource }, { Sequelize }] = await Promise.all([import("typeorm"), import("sequelize")]);
  const { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token } = emulator.ready.env;
  const authenticate = async (headers) => headers.set("Authorization", `Bearer ${token}`);
  // Each with credentials of its own: a second refusal of one soon after the first is not answered by a fresh one.
  const settings = () => getLakebaseOrmConfig({ max: 2, workspaceClient: { config: { host, authenticate } } });
  const source = new DataSource({ type: "postgres", ...settings(), poolErrorHandler: () => undefined });
  await source.initialize();
  ends.push(() => source.destroy());
  assert.equal(source.driver.master.options.max, 2);
  const sequelize = new Sequelize({ dialect: "postgres", ...settings(), logging: false });
  ends.push(() => sequelize.close());
  const text = "select body from orm.note order by id";
  await survives(async () => (await source.query(text)).map(({ body }) => body));
  await survives(async () => (await sequelize.query(text))[0].map(({ body }) => body));
});

test("Prisma through its adapter for pg", async () => {
  const { PrismaClient } = await import(new URL("generated/index.js", EXAMPLES));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool(), { schema: "orm" }) });
  ends.push(() => prisma.$disconnect());
  const query = () => prisma.note.findMany({ orderBy: { id: "asc" } });
  await survives(async () => (await query()).map(({ body }) => body));
});

test("prisma migrate, which logs in by its config", async () => {
  const migrated = { PGDATABASE: "migrated" };
  const mine = pool();
  await mine.query("create database migrated");
  const there = createPool({ client: emulator.client(), database: "migrated", max: 1 });
  ends.push(() => there.end());
  await there.query("create schema orm");
  const { mints } = await emulator.counters();
  assert.match(prisma(["migrate", "deploy"], migrated), /1 migration found.*have been applied/s);
  assert.equal((await emulator.counters()).mints, mints + 1, "one token for one run");
  await emulator.tokens({ rotate_key: true });
  assert.match(prisma(["migrate", "deploy"], migrated), /No pending migrations/);
  assert.match(prisma(["migrate", "status"], migrated), /schema is up to date/);
  await there.query("insert into orm.note values (1, 'migrated')");
});

const examples = readdirSync(EXAMPLES).filter((name) => name.endsWith(".mjs"));

test("there is an example for each ORM", () => {
  const all = ["drizzle", "knex", "kysely", "mikro-orm", "prisma", "sequelize", "typeorm"];
  assert.deepEqual(examples.toSorted(), all.map((name) => `${name}.mjs`));
});

for (const name of examples) {
  test(`the example ${name} reads the table`, async () => {
    const said = await emulator.output(undefined, { file: new URL(name, EXAMPLES).pathname });
    assert.match(said, /id: 1, body: 'one'.*id: 2, body: 'two'/s);
  });
}
