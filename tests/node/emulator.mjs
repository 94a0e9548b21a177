// A local Lakebase for the tests of one file: starts `lakekey emulate`, reads its ready line and ends it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

export const TARGET = "projects/emulator/branches/production/endpoints/primary";
const FOREIGN = /^(DATABRICKS_|LAKEBASE_|LAKEKEY_NATIVE|PG)/;

/** One running emulator. */
export class Emulator {
  #process;
  ready;
  prepare;

  async start(...options) {
    const command = process.env.LAKEKEY_BIN;
    assert.ok(command, "LAKEKEY_BIN names no lakekey binary; run the tests by `cargo xtask test node`");
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)));
    this.#process = spawn(command, ["emulate", "--parent-pid", String(process.pid), ...options], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = createInterface({ input: this.#process.stdout });
    for await (const line of lines) {
      if (!line.startsWith("{")) continue;
      this.ready = JSON.parse(line);
      break;
    }
    assert.ok(this.ready, "the emulator ended without a ready line");
    this.#process.stdout.resume();
    for (const name of Object.keys(process.env)) if (FOREIGN.test(name)) delete process.env[name];
    Object.assign(process.env, this.ready.env);
  }

  async stop() {
    if (!this.#process || this.#process.exitCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await gone;
  }

  /** One order to the admin API; the path begins after `/_emulator`. */
  async admin(method, path, body) {
    const answer = await fetch(`${this.ready.admin_url}/_emulator${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${this.ready.admin_token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  reset() {
    return this.admin("POST", "/reset", {});
  }

  async counters() {
    return (await this.admin("GET", "/requests")).counters;
  }

  tokens(knobs) {
    return this.admin("POST", "/tokens", knobs);
  }

  fault(path, action) {
    return this.admin("POST", "/faults", { match: { path }, action });
  }

  clearFaults() {
    return this.admin("DELETE", "/faults");
  }

  /** Options of a client that shares its credentials with nobody: each provider counts as an identity of its own. */
  client(changes = {}) {
    const { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token } = this.ready.env;
    return { target: TARGET, host, tokenProvider: () => token, ...changes };
  }

  /** Runs a program in a fresh process that this emulator's variables are set for. */
  async program(source, { env = {}, flags = [], file, command = process.execPath } = {}) {
    const all = { PATH: process.env.PATH, HOME: process.env.HOME, ...this.ready.env, ...env };
    for (const name of Object.keys(all)) if (all[name] === null) delete all[name];
    const what = file === undefined ? ["--input-type=module", "--eval", source] : [file];
    const child = spawn(command, [...flags, ...what], { env: all, stdio: ["ignore", "pipe", "pipe"] });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (text) => (said[stream] += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const [code, signal] = await once(child, "close");
    clearTimeout(timer);
    return { code, signal, ...said };
  }

  /** The same, and expects it to end well. */
  async output(source, options) {
    const { code, signal, stdout, stderr } = await this.program(source, options);
    assert.equal(code, 0, `exit ${code} ${signal}\n${stdout}\n${stderr}`);
    return stdout;
  }
}

/** An emulator for the tests of a file; `emulator.prepare`, if set, is called once it runs. */
export function emulated(...options) {
  const emulator = new Emulator();
  // One hook: the next one would not wait for it.
  before(async () => {
    await emulator.start(...options);
    await emulator.prepare?.();
  });
  after(() => emulator.stop());
  return emulator;
}

/** Waits until something holds. */
export async function until(holds, withinMillis = 20_000) {
  const end = performance.now() + withinMillis;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not within ${withinMillis} ms: ${holds}`);
    await sleep(10);
  }
}

/** What a promise was rejected with. */
export async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("the promise was resolved");
}
