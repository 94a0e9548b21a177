// The management API of the npm package.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import * as lakekey from "lakekey";
import { Operation } from "lakekey/management";

import { emulated, rejection } from "./emulator.mjs";

const BRANCH = "projects/emulator/branches/production";

const emulator = emulated();
const postgres = () => new lakekey.Client(emulator.client()).postgres;
beforeEach(() => emulator.reset());

test("an operation tells how it goes, and ends with what was made", async () => {
  const creating = await postgres().createBranch("projects/emulator", { spec: { ttl: "3600s" } }, "waited");
  const told = [];
  const branch = await creating.wait({ progress: (progress) => told.push(progress) });
  assert.equal(branch.name, "projects/emulator/branches/waited");
  assert.ok(told.every(({ name }) => name === creating.name));
  assert.deepEqual(await postgres().operation(creating.name).wait(), branch);
  const deleting = await postgres().deleteBranch(branch.name);
  await deleting.wait();
});

test("methods give messages", async () => {
  const branch = await postgres().getBranch(BRANCH);
  assert.deepEqual([branch.name, branch.status.current_state], [BRANCH, "READY"]);
  const credential = await postgres().generateDatabaseCredential(`${BRANCH}/endpoints/primary`, { ttl: "600s" });
  assert.ok(credential.token.length > 100);
});

test("lists are read page by page", async () => {
  const roles = [];
  for await (const role of postgres().listRoles(BRANCH, { pageSize: 1 })) roles.push(role.role_id);
  assert.equal(roles.length, 3);
});

test("an error has the service's own code and details", async () => {
  const error = await rejection(postgres().getBranch("projects/emulator/branches/nowhere"));
  assert.ok(error instanceof lakekey.ApiError);
  assert.deepEqual([error.apiCode, error.httpStatus], ["NOT_FOUND", 404]);
  assert.match(error.details[0]["@type"], /RequestInfo$/);
});

test("a misspelt option is refused", async () => {
  const error = await rejection(postgres().deleteBranch(BRANCH, { prge: true }));
  assert.match(error.message, /options\.prge.*known are timeoutMillis, signal, purge/);
});

test("an operation is known by its name, and its wait can be given up", async () => {
  const operation = postgres().operation(`${BRANCH}/operations/b25l+/8=`);
  assert.ok(operation instanceof Operation);
  assert.equal((await rejection(operation.wait())).constructor, lakekey.ApiError);
  const given = await rejection(operation.wait({ signal: AbortSignal.abort(new Error("enough")) }));
  assert.equal(given.slug, "CANCELLED");
});
