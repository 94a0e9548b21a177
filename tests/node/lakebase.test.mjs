// An app written for `@databricks/lakebase` moves by one changed import. The programs below are the snippets of its README;
// each runs with its own import and with ours.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { createPool } from "lakekey/pg";

import { emulated } from "./emulator.mjs";

const emulator = emulated("--host-mode", "ip");
beforeEach(() => emulator.reset());
emulator.prepare = async () => {
  const pool = createPool();
  await pool.query("create schema authorization current_user");
  await pool.query("create table users (id int)");
  await pool.query("insert into users values (1), (2)");
  await pool.end();
};

const THEIRS = "@databricks/lakebase";
const OURS = "lakekey/pg";

// The blocks of code in its README as they are installed, but for the name of the package.
const README = readFileSync(new URL("node_modules/@databricks/lakebase/README.md", import.meta.url), "utf8");
const BLOCKS = [...README.matchAll(/^```typescript\n(.*?)^```/gms)].map(([, code]) => code);
function documented(part, from) {
  const [block, ...others] = BLOCKS.filter((code) => code.includes(part));
  assert.ok(block?.includes(`"${THEIRS}"`) && others.length === 0, part);
  return block.replaceAll(`"${THEIRS}"`, `"${from}"`);
}

// Around a block stands what its reader has already, such as a table; a program also prints and ends.
const SNIPPETS = {
  "the quick start": (from) => `
    ${documented("SELECT * FROM users", from)}
    await pool.end();
  `,
  Drizzle: (from) => `
    import { integer, pgTable } from "drizzle-orm/pg-core";
    const usersTable = pgTable("users", { id: integer("id") });
    ${documented("from(usersTable)", from)}
    console.log(users);
    await pool.end();
  `,
  // Its snippet forgets an import.
  TypeORM: (from) => `
    import { getLakebaseOrmConfig } from "${from}";
    ${documented("new DataSource(", from)}
    console.log(await dataSource.query("SELECT * FROM users"));
    await Promise.all([dataSource.destroy(), pool.end()]);
  `,
  Sequelize: (from) => `
    ${documented("new Sequelize(", from)}
    console.log((await sequelize.query("SELECT * FROM users"))[0]);
    await sequelize.close();
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
};

for (const [name, snippet] of Object.entries(SNIPPETS)) {
  test(`${name}: the same with ${THEIRS} and with ${OURS}`, async () => {
    // Theirs knows three modes only, and not the emulator's own one.
    const env = { PGSSLMODE: "require" };
    const theirs = await emulator.output(snippet(THEIRS), { env });
    assert.match(theirs, /who|id: 1/);
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
