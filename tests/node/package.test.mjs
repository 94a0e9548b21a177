// The npm package as such: what is in it, its types, and bundles of small apps.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "esbuild";
import { publint } from "publint";
import webpack from "webpack";

import { emulated } from "./emulator.mjs";
import { render } from "./native-types.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const installed = join(here, "node_modules/lakekey");
const native = createRequire(import.meta.url)(join(installed, "native.cjs"));
const emulator = emulated();
const folder = mkdtempSync(join(here, "bundles-"));
after(() => rmSync(folder, { recursive: true }));

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const packed = (path) =>
  JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts", path], { cwd: here, encoding: "utf8" }));

test("npm pack takes what runs and nothing else", () => {
  const [{ files }] = packed(installed);
  const paths = files.map(({ path }) => path).sort();
  assert.ok(paths.every((path) => /^(dist\/(\w+\/)*\w+\.(d\.)?m?[jt]s|native\.(cjs|d\.cts)|package\.json|README\.md)$/.test(path)), paths);
  for (const entry of ["index", "pg", "postgres"]) {
    for (const ending of ["js", "mjs", "d.ts", "d.mts"]) assert.ok(paths.includes(`dist/${entry}.${ending}`), entry);
  }
});

test("each platform's package is named, pinned to this version, and holds one binary", () => {
  const { version, optionalDependencies } = read(join(installed, "package.json"));
  const loader = readFileSync(join(installed, "native.cjs"), "utf8");
  for (const [name, pinned] of Object.entries(optionalDependencies)) {
    assert.equal(pinned, version, name);
    assert.ok(loader.includes(`require("${name}")`), `${name} is not in the loader`);
  }
  assert.equal(loader.match(/require\("@lakekey/g).length, Object.keys(optionalDependencies).length);
  assert.ok(loader.includes(`"${version}"`));
  const [mine, ...others] = readdirSync(join(here, "node_modules/@lakekey"));
  assert.deepEqual(others, []);
  const paths = packed(join(here, "node_modules/@lakekey", mine))[0].files.map(({ path }) => path);
  assert.deepEqual(paths.sort(), [`lakekey.${mine}.node`, "package.json"]);
  assert.equal(read(join(here, "node_modules/@lakekey", mine, "package.json")).version, version);
});

test("publint finds nothing wrong", async () => {
  const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
  assert.deepEqual(messages, []);
});

test("the types resolve for ES modules, CommonJS and bundlers", () => {
  const tarball = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", installed], { cwd: folder, encoding: "utf8" }).trim();
  const attw = join(here, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    // Subpaths need `exports`, which the oldest way of resolving does not read.
    [attw, join(folder, tarball), "--profile", "node16", "--format", "json"],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stdout + stderr);
});

test("programs that use the types compile, and wrong ones do not", () => {
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "--project", join(here, "types")], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("the declared native module is the one that is built", () => {
  const built = readFileSync(join(here, "native-types.jsonl"), "utf8");
  const declared = readFileSync(join(installed, "native.d.cts"), "utf8");
  assert.equal(declared, render(built), "node bindings-node/native-types.mjs writes it anew");
  const exported = [...declared.matchAll(/^export declare (?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(exported.sort(), Object.keys(native).filter((name) => name !== "panicNow").sort());
});

const APP = `
  import { Client, LakekeyError } from "lakekey";
  import { createPool } from "lakekey/pg";
  const pool = createPool();
  console.log((await pool.query("select 1 as one")).rows[0].one, (await new Client().token()).length > 100);
  await pool.end();
  try { new Client({ tokn: 1 }); } catch (error) { console.log(error instanceof LakekeyError, error.name); }
`;

for (const format of ["esm", "cjs"]) {
  test(`an esbuild bundle runs (${format})`, async () => {
    writeFileSync(join(folder, "app.mjs"), format === "esm" ? APP : `(async () => {${APP.replace(/^.*import .*$/gm, "")}})();`);
    const imports = APP.match(/^.*import .*$/gm).join("\n");
    if (format === "cjs") {
      writeFileSync(join(folder, "app.mjs"), `${imports}\n${readFileSync(join(folder, "app.mjs"), "utf8")}`);
    }
    const outfile = join(folder, format === "esm" ? "out.mjs" : "out.cjs");
    await build({
      entryPoints: [join(folder, "app.mjs")],
      bundle: true,
      platform: "node",
      format,
      outfile,
      external: ["pg-native", "@lakekey/*"],
      banner: format === "esm" ? { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' } : {},
      minify: true,
      keepNames: true,
      logLevel: "silent",
    });
    // Nothing but the native package stands beside it.
    const alone = mkdtempSync(join(folder, "alone-"));
    mkdirSync(join(alone, "node_modules"));
    cpSync(join(here, "node_modules/@lakekey"), join(alone, "node_modules/@lakekey"), { recursive: true });
    const file = join(alone, format === "esm" ? "out.mjs" : "out.cjs");
    cpSync(outfile, file);
    assert.equal(await emulator.output("", { file }), "1 true\ntrue ConfigError\n");
  });
}

test("a webpack bundle runs", async () => {
  writeFileSync(join(folder, "app.webpack.mjs"), APP);
  const alone = mkdtempSync(join(folder, "alone-"));
  const compiler = webpack({
    mode: "production",
    target: "node20",
    context: folder,
    entry: "./app.webpack.mjs",
    output: { path: alone, filename: "out.cjs" },
    externals: [/^@lakekey\//, "pg-native"],
    externalsType: "commonjs",
    optimization: { minimize: false },
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([errors, warnings], [[], []]);
  mkdirSync(join(alone, "node_modules"));
  cpSync(join(here, "node_modules/@lakekey"), join(alone, "node_modules/@lakekey"), { recursive: true });
  const file = join(alone, "out.cjs");
  assert.equal(await emulator.output("", { file }), "1 true\ntrue ConfigError\n");
  const [mine] = readdirSync(join(alone, "node_modules/@lakekey"));
  const own = join(alone, "own.node");
  cpSync(join(alone, "node_modules/@lakekey", mine, `lakekey.${mine}.node`), own);
  rmSync(join(alone, "node_modules"), { recursive: true });
  const env = { LAKEKEY_NATIVE_MODULE: own };
  assert.equal(await emulator.output("", { file, env }), "1 true\ntrue ConfigError\n", "a module built by oneself");
});

test("without its native package the module says what to install", () => {
  const alone = mkdtempSync(join(folder, "bare-"));
  mkdirSync(join(alone, "node_modules"));
  cpSync(installed, join(alone, "node_modules/lakekey"), { recursive: true });
  writeFileSync(join(alone, "app.cjs"), 'require("lakekey");');
  // A folder further up has the package: only what lies beside the program counts here.
  const elsewhere = mkdtempSync(join(tmpdir(), "lakekey-bare-"));
  cpSync(alone, elsewhere, { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [join(elsewhere, "app.cjs")], { encoding: "utf8" });
  rmSync(elsewhere, { recursive: true });
  assert.equal(status, 1);
  assert.match(stderr, /lakekey cannot load its native module for .*optional dependencies/);
});
