#!/usr/bin/env node
// Prisma's schema engine from its npm package, where `prisma migrate` expects the native one: that one is no package but a
// download. Both are the same code; this one reaches Postgres through Prisma's adapter for pg, by the URL of the config.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import * as engine from "@prisma/schema-engine-wasm/schema_engine_bg";

const glue = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
const binary = readFileSync(glue.replace(/\.js$/, ".wasm"));
const { instance } = await WebAssembly.instantiate(binary, { "./schema_engine_bg.js": engine });
engine.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// Reads the URL's parameters as the native engine does.
function adapterOf(text) {
  const url = new URL(text);
  const { sslmode, sslcert, sslaccept, schema } = Object.fromEntries(url.searchParams);
  const ca = sslcert === undefined ? {} : { ca: readFileSync(sslcert, "utf8") };
  url.search = "";
  const config = {
    connectionString: url.href,
    options: `-c search_path=${schema}`,
    ssl: sslmode === "disable" ? false : { ...ca, rejectUnauthorized: sslaccept !== "accept_invalid_certs" },
  };
  return bindMigrationAwareSqlAdapterFactory(new PrismaPg(config, { schema }));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    datasource: { type: "string" },
    datamodels: { type: "string", multiple: true },
    "enabled-preview-features": { type: "string" },
    "extension-types": { type: "string" },
  },
});
const { url } = JSON.parse(values.datasource);
const datamodels = values.datamodels?.map((path) => [path, readFileSync(path, "utf8")]);
const log = (line) => process.stderr.write(line);
const schema = await engine.SchemaEngine.new({ datamodels }, log, adapterOf(url));

async function answer({ id, method, params }) {
  try {
    const result = await schema[method === "getDatabaseVersion" ? "version" : method](params);
    return { id, jsonrpc: "2.0", result: result ?? null };
  } catch (error) {
    return { id, jsonrpc: "2.0", error: { code: 4466, message: error.message, data: { message: error.message } } };
  }
}

if (positionals[0] === "cli") {
  await schema.ensureConnectionValidity({ datasource: { tag: "ConnectionString", url } });
  process.exit(0);
}
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await answer(JSON.parse(line))));
process.exit(0);
