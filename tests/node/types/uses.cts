// The same from CommonJS.

import lakekey = require("lakekey");
import drivers = require("lakekey/pg");

const client: lakekey.Client = new lakekey.Client();
const pool = drivers.createPool({ client });
void pool.query("select 1");
