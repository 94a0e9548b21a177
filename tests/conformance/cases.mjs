// The form of the conformance cases, and what a result is compared with, for `run_node.mjs`.

import { readFileSync, readdirSync } from "node:fs";

/** A case, or what it proves, is wrong. */
export class Wrong extends Error {}

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));

/** All cases, of files that have the form of `schema.json`. */
export function load(Ajv) {
  const form = new Ajv({ allowUnionTypes: true });
  const formed = form.compile(read("schema.json"));
  const cases = new Map();
  for (const name of readdirSync(new URL("cases", import.meta.url)).sort()) {
    const file = read(`cases/${name}`);
    if (!formed(file)) throw new Wrong(`${form.errorsText(formed.errors, { dataVar: name })} ${JSON.stringify(formed.errors[0].params)}`);
    for (const one of file.cases) {
      if (cases.has(one.id)) throw new Wrong(`two cases are called ${one.id}`);
      cases.set(one.id, { ...one, env: { ...file.env, ...one.env } });
    }
  }
  return [...cases.values()];
}

/** Puts in what `${NAME}` stands for. */
export function fill(value, names) {
  const full = JSON.stringify(value).replace(/\$\{(\w+)\}/g, (_, name) => {
    if (!(name in names)) throw new Wrong(`nothing is called ${name}`);
    return JSON.stringify(names[name]).slice(1, -1);
  });
  return JSON.parse(full);
}

/** What stands at each path of an answer. */
export function flat(value, at = "") {
  if (typeof value !== "object" || value === null) return { [at]: value };
  const below = Object.entries(value).map(([name, item]) => flat(item, at ? `${at}.${name}` : name));
  const length = Array.isArray(value) && { [`${at}.length`]: value.length };
  return Object.assign({}, ...below, length);
}

const CONDITIONS = {
  not: (have, other) => have !== other,
  contains: (have, part) => String(have).includes(part),
  min: (have, least) => have !== null && have >= least,
  max: (have, most) => have !== null && have <= most,
};

export function match(found, expected) {
  for (const [name, want] of Object.entries(expected)) {
    const have = found[name] ?? null;
    const conditions = typeof want === "object" && want !== null && Object.entries(want);
    const good = conditions ? conditions.every(([kind, limit]) => CONDITIONS[kind](have, limit)) : have === want;
    if (!good) throw new Wrong(`${name} is ${JSON.stringify(have)}, expected ${JSON.stringify(want)}`);
  }
}

export function matchError(error, { message = [], hint = [], hidden = [], ...facts }) {
  const shown = `${error.slug} ${error.message} ${error.causes.join(" ")}`;
  const { slug, code, retryable, httpStatus: http_status, apiCode: api_code } = error;
  match({ slug, code, retryable, http_status, api_code }, facts);
  for (const part of message) if (!error.message.includes(part)) throw new Wrong(`the message lacks ${part}: ${shown}`);
  for (const part of hint) if (!error.hint?.includes(part)) throw new Wrong(`the hint lacks ${part}: ${shown}`);
  for (const part of hidden) if (`${shown} ${error.stack}`.includes(part)) throw new Wrong(`${part} is shown`);
}
