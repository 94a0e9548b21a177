// The official JavaScript SDK as a witness: reads one environment a line, resolves it as the SDK does, sends one request
// to the API with what it authorizes, and writes one line about it.

import { createInterface } from "node:readline";
import sdk from "@databricks/sdk-experimental";

async function witness(env) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  const config = new sdk.Config({});
  try {
    const headers = new Headers();
    await config.authenticate(headers);
    const answer = await fetch(`${(await config.getHost()).origin}/api/2.0/preview/scim/v2/Me`, { headers });
    await answer.text();
    return { auth_type: config.authType };
  } catch (error) {
    return { auth_type: config.authType ?? null, error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await witness(JSON.parse(line)))}\n`);
}
