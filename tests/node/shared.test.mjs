// One mint for processes that are told to share it, by the option as by the variable.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "lakekey";
import { emulated, rejection } from "./emulator.mjs";

const emulator = emulated();
// mkdtemp makes it with mode 0700.
const folder = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), "shared-"));
beforeEach(() => emulator.reset());
after(() => rmSync(folder, { recursive: true }));

const QUERY = `
  import { Client } from "lakekey";
  import { createPool } from "lakekey/pg";
  const sharedCredentials = process.env.SHARED;
  const pool = createPool({ client: new Client(sharedCredentials === undefined ? {} : { sharedCredentials }) });
  const { rows } = await pool.query("select current_user::text as who");
  console.log(rows[0].who);
  await pool.end();
`;

test("a process that starts while the workspace is away logs in with what its neighbour minted", async () => {
  const who = await emulator.output(QUERY, { env: { SHARED: folder } });
  assert.match(who, /@/);
  const before = (await emulator.counters()).mints;
  assert.equal(before, 1);
  for (const action of [{ kind: "status", status: 503 }, { kind: "reset" }]) {
    await emulator.fault("*", action);
    assert.equal(await emulator.output(QUERY, { env: { SHARED: folder } }), who);
    assert.equal(await emulator.output(QUERY, { env: { LAKEKEY_SHARED_CREDENTIALS: folder } }), who);
    await emulator.clearFaults();
  }
  assert.equal((await emulator.counters()).mints, before);
  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
});

test("a directory that is required and cannot be used is an error that names it", async () => {
  const missing = join(folder, "nowhere", "keys");
  const client = new Client(emulator.client({ sharedCredentials: `required:${missing}` }));
  const error = await rejection(client.token());
  assert.equal(error.slug, "SHARED_DIRECTORY");
  assert.ok(error.message.includes(missing), error.message);
  await client.close();
  assert.throws(() => new Client(emulator.client({ sharedCredentials: "maybe" })), /maybe/);
});
