// The JavaScript blocks of the README, run as they stand there. What a newcomer copies must work.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { emulated } from "./emulator.mjs";

const emulator = emulated();
const text = readFileSync(new URL("./README.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);

test("the README has JavaScript, and it runs", async () => {
  assert.ok(blocks.length >= 1);
  for (const code of blocks) assert.ok((await emulator.output(code)).includes(emulator.ready.env.PGUSER), code);
});
