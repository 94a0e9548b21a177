// TypeORM: what stands in `extra` reaches the pool that it makes.

import { poolConfig } from "lakekey/pg";
import { DataSource, EntitySchema } from "typeorm";

const columns = { id: { type: "int", primary: true }, body: { type: "text" } };
const Note = new EntitySchema({ name: "note", schema: "orm", columns });
const source = new DataSource({ type: "postgres", extra: poolConfig(), entities: [Note] });
await source.initialize();
console.log(await source.getRepository(Note).find({ order: { id: "asc" } }));
await source.destroy();
