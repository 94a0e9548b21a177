// MikroORM: what stands in `driverOptions` reaches the pool that it makes.

import { defineEntity, MikroORM, p } from "@mikro-orm/postgresql";
import { poolConfig } from "lakekey/pg";

const properties = { id: p.integer().primary(), body: p.text() };
const Note = defineEntity({ name: "Note", schema: "orm", tableName: "note", properties });
const orm = await MikroORM.init({ entities: [Note], dbName: "databricks_postgres", driverOptions: poolConfig() });
console.log(await orm.em.fork().find(Note, {}, { orderBy: { id: "asc" } }));
await orm.close();
