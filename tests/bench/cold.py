"""A process from its start to its first row, with what the control plane's distance adds: ours, the official SDK's
documented recipe, and a static password, which needs no control plane at all."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import lakekey
from figures import ROUNDS, medians, row

OURS = """
import lakekey.psycopg
with lakekey.psycopg.connect() as connection:
    assert connection.execute("select 1").fetchone() == (1,)
"""

RECIPE = """
import os
import psycopg
from databricks.sdk import WorkspaceClient
workspace = WorkspaceClient()
name = os.environ["LAKEBASE_ENDPOINT"]
endpoint = workspace.postgres.get_endpoint(name=name)
user = workspace.current_user.me().user_name
credential = workspace.postgres.generate_database_credential(endpoint=name)
with psycopg.connect(
    host=endpoint.status.hosts.host, dbname="databricks_postgres", user=user, password=credential.token
) as connection:
    assert connection.execute("select 1").fetchone() == (1,)
"""

STATIC = """
import psycopg
with psycopg.connect() as connection:
    assert connection.execute("select 1").fetchone() == (1,)
"""

static = {**os.environ, "PGPASSWORD": lakekey.Client().token()}


def milliseconds(program: str, env: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=env, check=True)
    return (time.perf_counter() - begun) * 1000


ours, recipe, password = medians(
    ROUNDS,
    lambda: milliseconds(OURS, dict(os.environ)),
    lambda: milliseconds(RECIPE, dict(os.environ)),
    lambda: milliseconds(STATIC, static),
)
row("a cold process to its first row, control plane 20 ms away", "ms", ours, "databricks-sdk recipe", recipe, ratio=0.2)
row("a cold process to its first row, control plane 20 ms away", "ms", ours, "psycopg, static password", password)
