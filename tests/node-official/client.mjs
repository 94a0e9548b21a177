// One run of the official client: a pool, several queries side by side, and what they found as one JSON line.

import { createLakebasePool } from "@databricks/lakebase";

const pool = createLakebasePool({
  max: 4,
  ...(process.env.AS_PASSWORD ? { password: process.env.AS_PASSWORD } : {}),
});
try {
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, number) => pool.query("select current_user as me, $1::int as number", [number])),
  );
  const rows = results.map((result) => result.rows[0]);
  console.log(
    JSON.stringify({
      users: [...new Set(rows.map((row) => row.me))],
      answers: rows.filter((row, number) => row.number === number).length,
    }),
  );
} catch (error) {
  console.error(`${error.code ?? ""} ${error.message}`);
  process.exitCode = 1;
} finally {
  await pool.end();
}
