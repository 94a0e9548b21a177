// What the bench scripts share: medians of interleaved rounds, and rows for the table that `cargo xtask bench` prints.
//
// Rounds are interleaved (ours, peer, ours, peer, ...), so that a machine which gets slower meanwhile slows both.

export const ROUNDS = Number(process.env.LAKEKEY_BENCH_ROUNDS ?? 15);

/** The median of each contender's figures. The first round warms caches and is thrown away. */
export async function medians(rounds, ...contenders) {
  const figures = contenders.map(() => []);
  for (let number = 0; number <= rounds; number += 1) {
    for (const [index, contender] of contenders.entries()) {
      const figure = await contender();
      if (number > 0) figures[index].push(figure);
    }
  }
  return figures.map(median);
}

/** The middle of some figures. */
export function median(figures) {
  const sorted = figures.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** One row. `target` has one of `ratio`, `difference` and `ours`: the most that it may be. */
export function row(what, unit, ours, peer, theirs, target = {}) {
  console.log(JSON.stringify({ what, unit, ours, peer, theirs, target }));
}
