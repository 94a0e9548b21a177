// Sequelize: its own pool makes clients of the module it is given.

import { poolConfig } from "lakekey/pg";
import pg from "pg";
import { DataTypes, Sequelize } from "sequelize";

const { Client } = poolConfig();
const sequelize = new Sequelize({ dialect: "postgres", dialectModule: { ...pg, Client }, logging: false });
const columns = { id: { type: DataTypes.INTEGER, primaryKey: true }, body: DataTypes.TEXT };
const Note = sequelize.define("note", columns, { schema: "orm", freezeTableName: true, timestamps: false });
console.log(await Note.findAll({ order: ["id"], raw: true }));
await sequelize.close();
