// An app written for `@databricks/lakebase` moves by one changed import. The programs below are the snippets of its README;
// each runs with its own import and with ours.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { emulated } from "./emulator.mjs";

const emulator = emulated("--host-mode", "ip");
beforeEach(() => emulator.reset());

const THEIRS = "@databricks/lakebase";
const OURS = "lakekey/pg";

// `${from}` stands where the snippet names its package. Tables are made first and the program ends its pool.
const SNIPPETS = {
  "the quick start": (from) => `
    import { createLakebasePool } from "${from}";

    const pool = createLakebasePool();
    const result = await pool.query("SELECT current_user AS who");
    console.log(result.rows);
    await pool.end();
  `,
  "explicit configuration": (from) => `
    import { createLakebasePool } from "${from}";

    const pool = createLakebasePool({
      host: process.env.PGHOST,
      database: "databricks_postgres",
      endpoint: process.env.LAKEBASE_ENDPOINT,
      user: process.env.PGUSER,
      max: 10,
      logger: { debug: false, error: true },
    });
    console.log((await pool.query("SELECT current_user AS who")).rows, pool.options.max);
    await pool.end();
  `,
  "the user looked up": (from) => `
    import { createLakebasePool, getUsernameWithApiLookup } from "${from}";

    const known = process.env.PGUSER;
    delete process.env.PGUSER;
    const user = await getUsernameWithApiLookup();
    const pool = createLakebasePool({ user });
    console.log(user === known, (await pool.query("SELECT current_user AS who")).rows);
    await pool.end();
  `,
  "pg with a config": (from) => `
    import pg from "pg";
    import { getLakebasePgConfig } from "${from}";

    const config = getLakebasePgConfig({ max: 2 });
    const pool = new pg.Pool(config);
    console.log((await pool.query("SELECT current_user AS who")).rows, config.max, config.host, config.database);
    await pool.end();
  `,
  Drizzle: (from) => `
    import { sql } from "drizzle-orm";
    import { drizzle } from "drizzle-orm/node-postgres";
    import { integer, pgTable } from "drizzle-orm/pg-core";
    import { createLakebasePool } from "${from}";

    const pool = createLakebasePool();
    const db = drizzle(pool);
    await pool.query("create schema if not exists app; create table if not exists app.users (id int)");
    console.log((await db.execute(sql\`select count(*)::int as n from app.users\`)).rows);
    await pool.end();
  `,
  TypeORM: (from) => `
    import "reflect-metadata";
    import { DataSource } from "typeorm";
    import { getLakebaseOrmConfig } from "${from}";

    const dataSource = new DataSource({ type: "postgres", ...getLakebaseOrmConfig(), entities: [] });
    await dataSource.initialize();
    console.log(await dataSource.query("SELECT current_user AS who"));
    await dataSource.destroy();
  `,
  Sequelize: (from) => `
    import { Sequelize } from "sequelize";
    import { getLakebaseOrmConfig } from "${from}";

    const sequelize = new Sequelize({ dialect: "postgres", ...getLakebaseOrmConfig(), logging: false });
    console.log((await sequelize.query("SELECT current_user AS who"))[0]);
    await sequelize.close();
  `,
};

for (const [name, snippet] of Object.entries(SNIPPETS)) {
  test(`${name}: the same with ${THEIRS} and with ${OURS}`, async () => {
    // Theirs knows three modes only, and not the emulator's own one.
    const env = { PGSSLMODE: "require" };
    const theirs = await emulator.output(snippet(THEIRS), { env });
    assert.match(theirs, /who|n:|\[/);
    assert.equal(await emulator.output(snippet(OURS), { env }), theirs);
    assert.equal(await emulator.output(snippet(OURS), { env: { PGSSLMODE: "verify-full" } }), theirs);
  });
}

test("a native password needs no workspace", async () => {
  const said = await emulator.output(`
    import { getLakebasePgConfig } from "lakekey/pg";
    const config = getLakebasePgConfig({ user: "app", password: "native", endpoint: undefined });
    console.log(config.user, config.password, "Client" in config);
  `);
  assert.equal(said, "app native false\n");
});

test("a workspace client gives the identity", async () => {
  const said = await emulator.output(
    `
    import { createLakebasePool } from "lakekey/pg";
    const authenticate = async (headers) => headers.set("Authorization", "Bearer " + process.env.GIVEN);
    const workspaceClient = { config: { host: process.env.DATABRICKS_HOST, authenticate } };
    const pool = createLakebasePool({ workspaceClient });
    console.log((await pool.query("select current_user as who")).rows.length);
    await pool.end();
  `,
    { env: { GIVEN: emulator.ready.env.DATABRICKS_TOKEN, DATABRICKS_TOKEN: null } },
  );
  assert.equal(said, "1\n");
});

test("an unknown mode of TLS and a missing host are said at once", async () => {
  const { code, stderr } = await emulator.program(
    `import { getLakebasePgConfig } from "lakekey/pg"; getLakebasePgConfig({ sslMode: "requried" });`,
  );
  assert.equal(code, 1);
  assert.match(stderr, /ConfigError.*sslMode.*requried/);
  const missing = await emulator.program(
    `import { getLakebaseOrmConfig } from "lakekey/pg"; getLakebaseOrmConfig();`,
    { env: { PGHOST: null } },
  );
  assert.match(missing.stderr, /ConfigError.*PGHOST/);
});
