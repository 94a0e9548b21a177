// Writes native.d.cts from what the native module's build says of its exports: `node native-types.mjs DEFINITIONS`, where
// DEFINITIONS is `target/debug/native-types/lakekey-node`. Two descriptions of one boundary, each by hand, would drift apart.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const HEAD = "// The private native module, as its build describes it. Written by native-types.mjs; times are milliseconds.\n";

// There in debug builds only, for a test.
const HIDDEN = "panicNow";

/** The declarations for one JSON object a line. */
export function render(definitions) {
  const all = definitions.trim().split("\n").map((line) => JSON.parse(line));
  const methods = new Map(all.filter(({ kind }) => kind === "impl").map(({ name, def }) => [name, def]));
  const declared = all.filter(({ kind, name }) => kind !== "impl" && name !== HIDDEN);
  declared.sort((one, other) => order(one) - order(other) || (one.name < other.name ? -1 : 1));
  return [HEAD, ...declared.map((item) => declaration(item, methods.get(item.name)))].join("\n");
}

const order = ({ kind }) => ["interface", "struct", "fn"].indexOf(kind);

function declaration({ kind, name, js_doc: doc, def }, methods) {
  switch (kind) {
    case "interface":
      // Whether an option is left out or given as undefined is the same to the native module.
      return `${doc}export interface ${name} {\n${lines(def.replace(/^(\w+\?: .*)$/gm, "$1 | undefined"))}}\n`;
    case "struct":
      return `${doc}export declare class ${name} {\n  private constructor();\n${lines(methods)}}\n`;
    case "fn":
      return `${doc}export declare ${def};\n`;
    default:
      throw new Error(`no form for ${kind} ${name}`);
  }
}

function lines(text) {
  const each = text.split("\n").map((line) => line.trim());
  return each.map((line) => `  ${line}${line.startsWith("/**") ? "" : ";"}\n`).join("");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(render(readFileSync(process.argv[2], "utf8")));
}
