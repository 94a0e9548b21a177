"""Plain psql against the emulator, with nothing but the variables that the emulator prints."""

from __future__ import annotations

import subprocess

from databricks.sdk import WorkspaceClient

from emulator import Emulator

from .conftest import workspace_client


def run(psql: str, emulator: Emulator, query: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [psql, "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", query],
        env=emulator.environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def token(emulator: Emulator) -> str:
    client: WorkspaceClient = workspace_client(emulator, "pat")
    return client.postgres.generate_database_credential(endpoint=emulator.env["LAKEBASE_ENDPOINT"]).token


def test_it_logs_in_with_a_minted_token(psql: str, emulator: Emulator) -> None:
    done = run(psql, emulator, "select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()", PGPASSWORD=token(emulator))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(emulator.env["PGUSER"] + "|")


def test_it_is_refused_with_a_workspace_token(psql: str, emulator: Emulator) -> None:
    done = run(psql, emulator, "select 1", PGPASSWORD=emulator.env["DATABRICKS_TOKEN"])
    assert done.returncode == 2
    assert "FATAL" in done.stderr


def test_it_is_refused_without_tls(psql: str, emulator: Emulator) -> None:
    done = run(psql, emulator, "select 1", PGPASSWORD=token(emulator), PGSSLMODE="disable")
    assert done.returncode == 2
    assert "Invalid protocol version" in done.stderr
