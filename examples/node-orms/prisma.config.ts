// Prisma's command line. It takes a URL and no function, so a token is minted when it starts: `prisma migrate` logs in at
// once and keeps that one session.

import { connectParams } from "lakekey";
import { defineConfig } from "prisma/config";

const { user, password, host, port, dbname, sslrootcert } = await connectParams();
// A server with several addresses is named once for each of them, and a URL names it once.
const [server] = host.split(",");
const url = new URL(`postgresql://${server}/${dbname}?schema=orm&sslmode=require&sslaccept=strict`);
url.port = port.split(",")[0];
url.username = user;
url.password = password;
// Prisma's word for the authority's file; without one, the machine's own authorities count.
if (sslrootcert !== undefined && sslrootcert !== "system") url.searchParams.set("sslcert", sslrootcert);

export default defineConfig({
  schema: "schema.prisma",
  migrations: { path: "migrations" },
  datasource: { url: url.href },
});
