// The unmodified @databricks/lakebase against the emulator. Node reads its certificate authorities when it starts, so
// the client runs in a process of its own that gets the emulator's variables.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const CLIENT_ID = "00000000-0000-4000-8000-000000000001";
let emulator;
let ready;

before(async () => {
  const command = process.env.LAKEKEY_BIN;
  assert.ok(command, "LAKEKEY_BIN names no lakekey binary; run the tests by `cargo xtask test node`");
  emulator = spawn(command, ["emulate", "--host-mode", "ip", "--parent-pid", String(process.pid)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: emulator.stdout })) {
    if (line.startsWith("{")) {
      ready = JSON.parse(line);
      break;
    }
  }
  assert.ok(ready, "the emulator ended without a ready line");
});

after(async () => {
  if (!emulator || emulator.exitCode !== null) return;
  const gone = once(emulator, "exit");
  emulator.kill("SIGTERM");
  await gone;
});

// Runs client.mjs and gives what it found; it prints one JSON line.
async function client(changes) {
  const env = { PATH: process.env.PATH, ...ready.env, PGSSLMODE: "require", ...changes };
  for (const name of Object.keys(env)) if (env[name] === null) delete env[name];
  const child = spawn(process.execPath, [fileURLToPath(new URL("./client.mjs", import.meta.url))], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const [code] = await once(child, "close");
  return { code, stderr, found: code === 0 ? JSON.parse(stdout.trim().split("\n").pop()) : undefined };
}

test("createLakebasePool logs in as a user with a personal access token", async () => {
  const { code, stderr, found } = await client({});
  assert.equal(code, 0, stderr);
  assert.deepEqual(found, { users: [ready.env.PGUSER], answers: 8 });
});

test("createLakebasePool logs in as a service principal", async () => {
  const { code, stderr, found } = await client({
    DATABRICKS_TOKEN: null,
    PGUSER: null,
    DATABRICKS_CLIENT_ID: CLIENT_ID,
    DATABRICKS_CLIENT_SECRET: "emulator-secret",
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(found, { users: [CLIENT_ID], answers: 8 });
});

test("a workspace token as the password is refused", async () => {
  const { code, stderr } = await client({ AS_PASSWORD: ready.env.DATABRICKS_TOKEN });
  assert.notEqual(code, 0);
  assert.match(stderr, /28P01|28000/);
});
