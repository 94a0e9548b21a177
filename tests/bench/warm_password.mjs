// A token that is in the cache, through the function that pg calls for a password: ours and `@databricks/lakebase`'s.

import * as theirs from "@databricks/lakebase";
import * as ours from "lakekey/pg";

import { medians, row, ROUNDS } from "./figures.mjs";

const CALLS = 100_000;

async function nanoseconds(password) {
  const begun = process.hrtime.bigint();
  for (let call = 0; call < CALLS; call += 1) await password();
  return Number(process.hrtime.bigint() - begun) / CALLS;
}

// Theirs knows three modes only, and not the emulator's own one.
process.env.PGSSLMODE = "require";
const pairs = {
  "createLakebasePool": [ours.createLakebasePool().options, theirs.createLakebasePool().options],
  "getLakebasePgConfig": [ours.getLakebasePgConfig(), theirs.getLakebasePgConfig()],
};
for (const [name, [{ password }, { password: peer }]] of Object.entries(pairs)) {
  for (const call of [password, peer]) {
    if (typeof (await call()) !== "string") throw new Error(`${name} gave no password`);
  }
  const figures = await medians(ROUNDS, () => nanoseconds(password), () => nanoseconds(peer));
  row(`warm password of ${name}`, "ns", figures[0], "@databricks/lakebase", figures[1], { ratio: 0.5 });
}
