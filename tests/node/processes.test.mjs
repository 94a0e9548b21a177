// The process models that Node brings: cluster, forked children, worker threads, and how each of them ends.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { emulated } from "./emulator.mjs";

const MINTS = "/api/2.0/postgres/credentials";
const here = dirname(fileURLToPath(import.meta.url));
const emulator = emulated();
const folder = mkdtempSync(join(here, "processes-"));
beforeEach(() => emulator.reset());
after(() => rmSync(folder, { recursive: true }));

/** Runs a program from a file: what it forks runs the same file. */
function program(name, source) {
  const file = join(folder, name);
  writeFileSync(file, source);
  return emulator.output("", { file });
}

test("a cluster of four mints once in each worker, and ends cleanly", async () => {
  const said = await program(
    "cluster.mjs",
    `
    import cluster from "node:cluster";
    import { createPool } from "lakekey/pg";
    if (cluster.isPrimary) {
      const ends = Array.from({ length: 4 }, () => new Promise((end) => {
        const worker = cluster.fork();
        worker.on("message", ({ rows }) => {
          console.log(rows);
          worker.disconnect();
        });
        worker.on("exit", (code, signal) => end(code ?? signal));
      }));
      console.log((await Promise.all(ends)).join());
    } else {
      const pool = createPool({ max: 3 });
      const answers = await Promise.all([1, 2, 3].map((number) => pool.query("select $1::int as number", [number])));
      await pool.end();
      process.send({ rows: answers.map(({ rows }) => rows[0].number).join() });
    }
  `,
  );
  assert.equal(said, "1,2,3\n".repeat(4) + "0,0,0,0\n");
  assert.equal((await emulator.counters()).mints, 4);
});

test("a forked child has a token of its own, and its parent goes on", async () => {
  const said = await program(
    "forked.mjs",
    `
    import { fork } from "node:child_process";
    import { once } from "node:events";
    import { fileURLToPath } from "node:url";
    import { token } from "lakekey";
    if (process.send) {
      process.send((await token()).length > 100);
      process.disconnect();
    } else {
      const mine = await token();
      const child = fork(fileURLToPath(import.meta.url));
      const [theirs] = await once(child, "message");
      const [code] = await once(child, "exit");
      console.log(theirs, code, (await token()) === mine);
    }
  `,
  );
  assert.equal(said, "true 0 true\n");
  assert.equal((await emulator.counters()).mints, 2);
});

test("worker threads, each with a client of its own, share the process's token", async () => {
  const said = await emulator.output(`
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const source = \`
      const { createPool } = require("lakekey/pg");
      const pool = createPool({ max: 2 });
      pool.query("select 7 as seven").then(async ({ rows }) => {
        await pool.end();
        require("node:worker_threads").parentPort.postMessage(rows[0].seven);
      });
    \`;
    const all = Array.from({ length: 4 }, async () => {
      const worker = new Worker(source, { eval: true, execArgv: [] });
      const ended = once(worker, "exit");
      const [seven] = await once(worker, "message");
      return [seven, ...(await ended)].join(":");
    });
    console.log((await Promise.all(all)).join());
  `);
  assert.equal(said, "7:0,7:0,7:0,7:0\n");
  assert.equal((await emulator.counters()).mints, 1);
});

test("a worker that is terminated while its mint hangs leaves a process that ends", async () => {
  await emulator.fault(MINTS, { kind: "hang" });
  const said = await emulator.output(`
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const source = \`
      const { Client } = require("lakekey");
      new Client().token().catch(() => {});
      setTimeout(() => require("node:worker_threads").parentPort.postMessage("under way"), 200);
    \`;
    const worker = new Worker(source, { eval: true, execArgv: [] });
    await once(worker, "message");
    const began = performance.now();
    console.log(await worker.terminate());
    process.on("exit", () => console.log(performance.now() - began < 2000));
  `);
  assert.equal(said, "1\ntrue\n");
});

for (const end of ["process.exit(5)", "process.kill(process.pid, 'SIGTERM')"]) {
  test(`${end} while a mint hangs ends the process at once`, async () => {
    await emulator.fault(MINTS, { kind: "hang" });
    const began = performance.now();
    const { code, signal, stderr } = await emulator.program(`
      import { Client } from "lakekey";
      new Client().token().catch(() => {});
      setTimeout(() => ${end}, 200);
    `);
    assert.ok(code === 5 || signal === "SIGTERM", `${code} ${signal}`);
    assert.equal(stderr, "");
    // The hanging mint itself would be given up after ten seconds.
    assert.ok(performance.now() - began < 8000);
  });
}
