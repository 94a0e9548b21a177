// Notes in Lakebase, from the command line: a pool, a migration, a few queries, a clean end.
//
// Nothing here knows of tokens. Where the database is and who you are comes from the environment.

import { LakekeyError } from "lakekey";
import { createPool } from "lakekey/pg";

const MIGRATIONS = [
  `create table notes.note (
     id bigint generated always as identity primary key,
     text text not null check (text <> ''),
     written timestamptz not null default now()
   )`,
  "alter table notes.note add column done timestamptz",
  "create index note_open on notes.note (written) where done is null",
];

// Brings the schema up to date; safe to run at every deployment, also twice at once.
async function migrate(pool) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    // A schema of one's own: in `public` the role may not be allowed to create anything.
    await client.query("select pg_advisory_xact_lock(hashtext('notes'))");
    await client.query("create schema if not exists notes");
    await client.query("create table if not exists notes.migration (number int primary key)");
    const { rows } = await client.query("select coalesce(max(number), 0) as number from notes.migration");
    for (const [index, statement] of MIGRATIONS.entries()) {
      if (index < rows[0].number) continue;
      await client.query(statement);
      await client.query("insert into notes.migration values ($1)", [index + 1]);
      console.log(`migration ${index + 1} done`);
    }
    await client.query("commit");
  } finally {
    // An unfinished transaction goes away with its connection.
    client.release(true);
  }
}

async function add(pool, text) {
  if (!text) throw new Error("usage: notes.mjs add TEXT");
  const { rows } = await pool.query("insert into notes.note (text) values ($1) returning id", [text]);
  console.log(`note ${rows[0].id}`);
}

async function list(pool) {
  const { rows } = await pool.query("select id, text, written from notes.note where done is null order by written");
  for (const { id, text, written } of rows) console.log(`${id.padStart(5)}  ${written.toISOString().slice(0, 16)}  ${text}`);
}

async function done(pool, id) {
  const { rowCount } = await pool.query("update notes.note set done = now() where id = $1 and done is null", [id]);
  if (rowCount === 0) throw new Error(`there is no open note ${id}`);
}

const commands = { migrate, add, list, done };
const [name, ...given] = process.argv.slice(2);
if (!Object.hasOwn(commands, name ?? "")) {
  console.error(`usage: notes.mjs ${Object.keys(commands).join("|")}`);
  process.exit(2);
}
const pool = createPool({ max: 4 });
try {
  await commands[name](pool, ...given);
} catch (error) {
  console.error(error instanceof LakekeyError ? `${error.slug}: ${error.message}` : error.message);
  process.exitCode = 1;
} finally {
  await pool.end();
}
