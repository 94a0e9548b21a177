// The management API: `new Client().postgres`, with the names of the Databricks SDK's `postgres` service. Messages are the
// API's own JSON: what this version does not know is there as well, and goes back as it came.

export { Operation, Postgres } from "./management/service.js";
export type { CallOptions, Progress, WaitOptions } from "./management/service.js";
export type * from "./management/generated/index.js";
