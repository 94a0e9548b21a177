// The form of the conformance cases, and what a result is compared with, for `run_node.mjs`.

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));

/** A case, or what it proves, is wrong. */
export class Wrong extends Error {}

const typeOf = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** The part of JSON Schema that `schema.json` uses. */
function check(value, schema, defs, at) {
  if (schema.$ref) return check(value, defs[schema.$ref.split("/").pop()], defs, at);
  const type = typeOf(value);
  if (![schema.type].flat().includes(type)) throw new Wrong(`${at} is no ${schema.type}`);
  if (schema.enum && !schema.enum.includes(value)) throw new Wrong(`${at} is ${value}`);
  if (type === "array") value.forEach((item, index) => check(item, schema.items, defs, `${at}[${index}]`));
  if (type !== "object") return;
  const missing = (schema.required ?? []).filter((name) => !(name in value));
  if (missing.length) throw new Wrong(`${at} lacks ${missing}`);
  for (const [name, item] of Object.entries(value)) {
    const inner = schema.properties?.[name] ?? schema.additionalProperties ?? true;
    if (inner === false) throw new Wrong(`${at} has an unknown key ${name}`);
    if (inner !== true) check(item, inner, defs, `${at}.${name}`);
  }
}

export function load() {
  const schema = JSON.parse(readFileSync(join(HERE, "schema.json"), "utf8"));
  const cases = new Map();
  for (const name of readdirSync(join(HERE, "cases")).sort()) {
    const file = JSON.parse(readFileSync(join(HERE, "cases", name), "utf8"));
    check(file, schema, schema.$defs, name);
    for (const one of file.cases) {
      if (cases.has(one.id)) throw new Wrong(`two cases are called ${one.id}`);
      cases.set(one.id, { ...one, env: { ...file.env, ...one.env } });
    }
  }
  return [...cases.values()];
}

/** Puts in what `${NAME}` stands for. */
export function fill(value, names) {
  if (typeof value === "string") {
    return value.replace(/\$\{(\w+)\}/g, (_, name) => {
      if (!(name in names)) throw new Wrong(`nothing is called ${name}`);
      return names[name];
    });
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, names));
  if (typeOf(value) !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, names)]));
}

export function match(found, expected) {
  for (const [name, want] of Object.entries(expected)) {
    const have = found[name] ?? null;
    const good =
      typeOf(want) !== "object"
        ? have === want
        : (want.not === undefined || have !== want.not) &&
          (want.contains === undefined || String(have).includes(want.contains)) &&
          (want.min === undefined || (have !== null && have >= want.min)) &&
          (want.max === undefined || (have !== null && have <= want.max));
    if (!good) throw new Wrong(`${name} is ${JSON.stringify(have)}, expected ${JSON.stringify(want)}`);
  }
}

export function matchError(error, expected) {
  const shown = `${error.slug} ${error.message} ${error.causes.join(" ")}`;
  const facts = { slug: error.slug, code: error.code, retryable: error.retryable, http_status: error.httpStatus };
  for (const [name, fact] of Object.entries(facts)) {
    if (name in expected && fact !== expected[name]) throw new Wrong(`${name} is ${fact}: ${shown}`);
  }
  for (const [text, parts] of [[error.message, expected.message], [error.hint ?? "", expected.hint]]) {
    for (const part of parts ?? []) if (!text.includes(part)) throw new Wrong(`${JSON.stringify(part)} is not in ${shown}`);
  }
  for (const part of expected.hidden ?? []) if (`${shown} ${error.stack}`.includes(part)) throw new Wrong(`${part} is shown`);
}
