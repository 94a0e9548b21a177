"""Importing the package does nothing."""

from __future__ import annotations

import pytest

from lakebase import run_python

LOOK = """
import os, sys
class Untouched(dict):
    def __getattribute__(self, name):
        raise AssertionError(f"os.environ was read at import: {name}")
before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
real, os.environ = os.environ, Untouched()
import lakekey
os.environ = real
import threading
assert threading.active_count() == 1
assert not lakekey._lakekey.has_threads()
if os.path.isdir("/proc/self/task"):
    assert len(os.listdir("/proc/self/task")) == before
drivers = {"psycopg", "psycopg2", "psycopg_pool", "asyncpg", "sqlalchemy", "asyncio", "databricks"}
assert not drivers & set(sys.modules), drivers & set(sys.modules)
assert "logging" not in sys.modules or not sys.modules["logging"].root.handlers
"""


def test_importing_starts_no_thread_reads_no_environment_and_imports_no_driver() -> None:
    run_python(LOOK)


def test_a_client_starts_no_thread_and_reads_the_environment_when_it_is_made() -> None:
    run_python(
        """
import os
import lakekey
os.environ["DATABRICKS_HOST"] = "not a host"
os.environ["LAKEBASE_ENDPOINT"] = "projects/p/branches/b/endpoints/e"
os.environ["DATABRICKS_TOKEN"] = "dapi-planted"
client = lakekey.Client()
assert not lakekey._lakekey.has_threads()
try:
    client.token(timeout=5)
except lakekey.LakekeyError as error:
    assert "DATABRICKS_HOST" in str(error) or "not a host" in str(error), error
else:
    raise AssertionError("a nonsense host was accepted")
"""
    )


@pytest.mark.parametrize("start", ["lakekey.psycopg", "lakekey.errors"])
def test_importing_a_part_starts_no_thread(start: str) -> None:
    run_python(f"import {start}\nimport lakekey, threading\nassert threading.active_count() == 1\nassert not lakekey._lakekey.has_threads()")
