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
// Without a pool theirs does not log, so that there is nothing but a comparison of times, and `await` alone, which both pay
// for, is more than half of it.
const pairs = {
  "createLakebasePool": [ours.createLakebasePool().options, theirs.createLakebasePool().options, 0.5],
  "getLakebasePgConfig": [ours.getLakebasePgConfig(), theirs.getLakebasePgConfig(), 1],
};
for (const [name, [{ password }, { password: peer }, ratio]] of Object.entries(pairs)) {
  for (const call of [password, peer]) {
    if (typeof (await call()) !== "string") throw new Error(`${name} gave no password`);
  }
  const figures = await medians(ROUNDS, () => nanoseconds(password), () => nanoseconds(peer));
  row(`warm password of ${name}`, "ns", figures[0], "@databricks/lakebase", figures[1], { ratio });
}
