"""One emulator for all tests of the Python package, and workspaces that never answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from emulator import Emulator
from lakebase import Lakebase


@pytest.fixture(scope="session")
def running() -> Iterator[Emulator]:
    with Emulator() as emulator:
        # libpq's and the SDK's variables of this process must not decide a test, and the emulator's must.
        for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "LAKEBASE_", "PG"))]:
            del os.environ[name]
        os.environ.update(emulator.env)
        yield emulator


@pytest.fixture
def lakebase(running: Emulator) -> Lakebase:
    running.admin("POST", "/reset", {})
    return Lakebase(running)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a workspace that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    """The address of a workspace where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"
