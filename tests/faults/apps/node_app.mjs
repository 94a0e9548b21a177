// The app in Node: a pool of one connection of pg, or with `postgres` as argument the `sql` of postgres.js.

import { createInterface } from "node:readline";

import { Client, explain } from "lakekey";
import { createPool } from "lakekey/pg";
import { createSql } from "lakekey/postgres";

let client;
let open;

const kinds = {
  pg(options, budget, max = 1) {
    const pool = createPool({ ...options, max, connectionTimeoutMillis: 1000 * budget });
    return {
      async query(text) {
        const { rows } = await pool.query({ text, rowMode: "array" });
        return rows[0]?.[0];
      },
      end: () => pool.end(),
    };
  },
  postgres(options, budget, max = 1) {
    const sql = createSql({ ...options, max, connect_timeout: budget, onnotice() {} });
    return {
      async query(text) {
        const rows = await sql.unsafe(text);
        return Object.values(rows[0] ?? {})[0];
      },
      end: () => sql.end({ timeout: 1 }),
    };
  },
};
const kind = kinds[process.argv[2] ?? "pg"];

const verbs = {
  async connect(endpoint, ttl, budget, user) {
    client = new Client();
    const options = { client, endpoint, ttlMillis: 1000 * ttl, ...(user === "" ? {} : { user }) };
    open = kind(options, Number(budget));
    return open.query("select 1");
  },
  async storm(endpoint, ttl, budget, count) {
    client = new Client();
    open = kind({ client, endpoint, ttlMillis: 1000 * ttl }, Number(budget), Number(count));
    // Each is busy for a moment, so that none is served by the session of another.
    const one = () => open.query("select 1 from pg_sleep(0.2)");
    const done = await Promise.all(Array.from({ length: Number(count) }, one));
    return done.length;
  },
  query: (text) => open.query(text),
  async close() {
    await open?.end();
    client?.close();
    open = client = undefined;
  },
};

function told(error) {
  const { kind, hint } = explain(error);
  const text = `${error.name}: ${error.message} ${(error.events ?? []).join(" ")}`;
  return ["failed", kind, error.slug ?? "", hint ?? "", text].map((field) => field.replace(/\s+/g, " ")).join("\t");
}

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...fields] = line.split("\t");
  if (verb === "end") break;
  let said;
  try {
    said = `ok\t${(await verbs[verb](...fields)) ?? ""}`;
  } catch (error) {
    said = told(error);
  }
  process.stdout.write(`${said}\n`);
}
process.stdin.destroy();
