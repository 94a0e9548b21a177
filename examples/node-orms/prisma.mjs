// Prisma 7: its adapter takes a pool. The client is generated from schema.prisma by `prisma generate`.

import { PrismaPg } from "@prisma/adapter-pg";
import { createPool } from "lakekey/pg";

import { PrismaClient } from "./generated/index.js";

const pool = createPool();
const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema: "orm" }) });
console.log(await prisma.note.findMany({ orderBy: { id: "asc" } }));
await prisma.$disconnect();
await pool.end();
