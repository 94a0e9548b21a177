// What `require("lakekey/pg")` costs, in time and memory: against pg alone and against `@databricks/lakebase`.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { median, row, ROUNDS } from "./figures.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const MODULES = ["lakekey/pg", "pg", "@databricks/lakebase"];

const program = (module) => `
  const [begun, before] = [performance.now(), process.cpuUsage()];
  require(${JSON.stringify(module)});
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify([performance.now() - begun, (user + system) / 1000, process.memoryUsage.rss() / 2 ** 20]));
`;

function requiring(module) {
  return JSON.parse(execFileSync(process.execPath, ["--eval", program(module)], { cwd: here, encoding: "utf8" }));
}

const figures = MODULES.map(() => []);
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [index, module] of MODULES.entries()) {
    const figure = requiring(module);
    if (round > 0) figures[index].push(figure);
  }
}
for (const [figure, unit, what, difference] of [
  [0, "ms", "require time", 15],
  [1, "ms", "require CPU time", 15],
  [2, "MB", "require memory", 8],
]) {
  const [ours, driver, theirs] = figures.map((kept) => median(kept.map((pair) => pair[figure])));
  row(`${what}: lakekey/pg`, unit, ours, "pg", driver, { difference });
  row(`${what}: lakekey/pg`, unit, ours, "@databricks/lakebase", theirs);
}
