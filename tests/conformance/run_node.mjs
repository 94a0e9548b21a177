// Runs the conformance cases through the npm package and pg: `node run_node.mjs [ID ...]`, in a folder where both are
// installed. The parent owns the emulator and the files; each case runs in a process of its own, because the package
// reads its environment from the process and shares credentials within it.

import { fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Wrong, fill, flat, load, match, matchError } from "./cases.mjs";

const CASE_LIMIT_MS = 120_000;
const CALL_LIMIT_MS = 60_000;
const installed = createRequire(join(process.cwd(), "package.json"));

async function admin(ready, call, body) {
  const [method, path] = call.split(" ", 2);
  const headers = { authorization: `Bearer ${ready.admin_token}` };
  const sent = method === "GET" ? undefined : JSON.stringify(body ?? {});
  const answer = await fetch(`${ready.admin_url}/_emulator${path}`, { method, headers, body: sent });
  if (!answer.ok) throw new Wrong(`the admin API refused ${call}: ${await answer.text()}`);
  return answer.json();
}

const ofToken = (token) => {
  const { sub } = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  return { token, subject: sub };
};

async function login(params, password) {
  const first = (list) => list.split(",")[0];
  const client = new (installed("pg").Client)({
    host: first(params.hostaddr),
    port: Number(first(params.port)),
    user: params.user,
    database: params.dbname,
    password: password ?? params.password,
    ssl: params.sslmode !== "disable" && { servername: first(params.host), ca: readFileSync(params.sslrootcert) },
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query("select current_user::text as user, current_database()::text as database");
    return rows[0];
  } catch (error) {
    return { refused: error.message };
  } finally {
    await client.end().catch(() => {});
  }
}

/** One case, in its own process. */
class Run {
  constructor(names, ready) {
    Object.assign(this, { names, ready, client: undefined, ...installed("lakekey") });
  }

  async steps(steps) {
    for (const [index, step] of steps.entries()) {
      const end = Date.now() + (step.until_s ?? 0) * 1000;
      for (;;) {
        try {
          await this.step(fill(step, this.names));
          break;
        } catch (error) {
          if (Date.now() >= end || !(error instanceof Wrong)) {
            throw new Wrong(`step ${index + 1} (${step.op}): ${error.message}`);
          }
          await sleep(50);
        }
      }
    }
  }

  async step(step) {
    let found;
    try {
      found = await this.perform(step.op, step.args ?? {});
    } catch (error) {
      if (!(error instanceof this.LakekeyError) || !step.error) throw new Wrong(`it failed: ${error.slug}: ${error.message}`);
      return matchError(error, step.error);
    }
    if (step.error) throw new Wrong(`it succeeded, and ${step.error.slug} was expected`);
    match(found, step.expect ?? {});
    for (const [field, name] of Object.entries(step.save ?? {})) this.names[name] = found[field];
  }

  async perform(op, { call, body, settings, product, ttl_s, timeout_s, ...args }) {
    if (op === "admin") return admin(this.ready, call, body);
    const times = { ...(ttl_s && { ttlMillis: ttl_s * 1000 }), ...(timeout_s && { timeoutMillis: timeout_s * 1000 }) };
    const { target, token, count, password, ...connect } = args;
    if (op === "client") this.client = new this.Client({ attributes: settings, product, target, ...times });
    this.client ??= new this.Client();
    const options = { ...times, ...connect };
    return OPS[op](this.client, args, [target, ...(Object.keys(options).length ? [options] : [])]);
  }
}

/** What each op does with the client, and gives; `where` is the target and, if there are any, the options. */
const OPS = {
  client: () => ({}),
  token: async (client, _, where) => ofToken(await client.token(...where)),
  credential: async (client, _, where) => {
    const { issuedAt, expiresAt, ...rest } = await client.credential(...where);
    return { ...rest, lifetime_s: Math.round((expiresAt - issuedAt) / 1000) };
  },
  connect_params: (client, _, where) => client.connectParams(...where),
  conninfo: async (client, _, where) => ({ conninfo: await client.conninfo(...where) }),
  invalidate: (client, { token }) => ({ fresh: client.invalidate(token) }),
  storm: async (client, { count }) => {
    const tokens = await Promise.all(Array.from({ length: count }, () => client.token()));
    return { distinct: new Set(tokens).size };
  },
  login: async (client, { password }, where) => login(await client.connectParams(...where), password),
  explain: (_, { text, sqlstate }) => {
    const { kind, ...meaning } = installed("lakekey").explain(Object.assign(new Error(text), { code: sqlstate }));
    return { class: kind, ...meaning };
  },
  call: async (client, { method, arguments: given, wait }) => {
    const answer = await client.postgres.call(method, given);
    const { Operation } = installed("lakekey/management");
    return flat(wait ? await new Operation(client, answer).wait({ timeoutMillis: CALL_LIMIT_MS }) : answer);
  },
  close: (client) => client.close() ?? {},
};

/** Runs a case; throws what is wrong. */
async function prove(one, ready) {
  await admin(ready, "POST /reset");
  const home = mkdtempSync(join(tmpdir(), "lakekey-"));
  const names = { ...ready.env, home, uid: ready.env.PGHOST.split(".")[0] };
  for (const [name, text] of Object.entries(fill(one.files ?? {}, names))) writeFileSync(join(home, name), text);
  const env = Object.fromEntries(Object.entries(fill(one.env, names)).filter(([, value]) => value !== null));
  const child = fork(fileURLToPath(import.meta.url), ["--steps"], { env: { ...env, HOME: home }, timeout: CASE_LIMIT_MS });
  let wrong = "its process died or did not end";
  child.on("message", (told) => (wrong = told));
  child.send([one.steps, names, ready]);
  await new Promise((resolve) => child.on("close", resolve));
  rmSync(home, { recursive: true });
  if (wrong) throw new Wrong(wrong);
  for (const end = Date.now() + 2000; ; await sleep(20)) {
    const { requests, requests_total } = (await admin(ready, "GET /requests")).counters;
    const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);
    const counts = Object.fromEntries(Object.entries(requests).map(([route, by]) => [route, sum(by)]));
    try {
      if (sum(counts) !== requests_total) throw new Wrong("one has not ended");
      const unnamed = Object.fromEntries(Object.keys(counts).map((route) => [route, null]));
      if (one.requests) match(counts, { ...unnamed, ...one.requests });
      return;
    } catch (error) {
      if (Date.now() >= end) throw new Wrong(`requests: ${error.message}`);
    }
  }
}

async function main(chosen) {
  const begun = Date.now();
  const cases = load(installed("ajv/dist/2020").Ajv2020).filter(({ id }) => !chosen.length || chosen.includes(id));
  const emulator = spawn(process.env.LAKEKEY_BIN, ["emulate", "--project", "shop", "--parent-pid", `${process.pid}`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let failed = 0;
  try {
    const ready = JSON.parse(await new Promise((resolve) => createInterface(emulator.stdout).once("line", resolve)));
    for (const one of cases) {
      await prove(one, ready).catch((error) => {
        failed += 1;
        console.log(`FAILED ${one.id}: ${error.message}\n  which is to prove: ${one.why}`);
      });
    }
  } finally {
    emulator.kill();
    await new Promise((resolve) => emulator.once("exit", resolve));
  }
  const took = ((Date.now() - begun) / 1000).toFixed(1);
  console.log(`== ${cases.length - failed} passed, ${failed} failed in ${took} s: conformance, Node ==`);
  process.exitCode = failed || !cases.length ? 1 : 0;
}

if (process.argv[2] === "--steps") {
  process.once("message", async ([steps, names, ready]) => {
    const wrong = await new Run(names, ready).steps(steps).then(() => null, (error) => error.message);
    process.send(wrong, () => process.disconnect());
  });
} else {
  await main(process.argv.slice(2));
}
