"""What the tests of the Python package share: one emulator, clients of it, and a workspace that never answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lakekey
from emulator import Emulator

TARGET = "projects/emulator/branches/production/endpoints/primary"


class Lakebase:
    """The emulator with what the tests ask of it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    @property
    def env(self) -> dict[str, str]:
        return self.emulator.env

    def counters(self) -> dict[str, Any]:
        counters: dict[str, Any] = self.emulator.admin("GET", "/requests")["counters"]
        return counters

    def mints(self) -> int:
        return int(self.counters()["mints"])

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.emulator.admin("GET", "/requests")["entries"] if entry["kind"] == kind]

    def tokens(self, **knobs: object) -> None:
        self.emulator.admin("PUT", "/tokens", knobs)

    def fault(self, path: str, action: dict[str, object], **rule: object) -> None:
        self.emulator.admin("POST", "/faults", {"match": {"path": path}, "action": action, **rule})

    def clear_faults(self) -> None:
        self.emulator.admin("DELETE", "/faults")

    def hang_mints(self) -> None:
        self.fault("/api/2.0/postgres/credentials", {"kind": "hang"})

    def client(self, **changes: Any) -> lakekey.Client:
        """A client of its own: environment and process-wide default stay out of the tests' way."""
        settings = {
            "target": TARGET,
            "host": self.env["DATABRICKS_HOST"],
            "token": self.env.get("DATABRICKS_TOKEN"),
            "client_id": self.env.get("DATABRICKS_CLIENT_ID"),
            "client_secret": self.env.get("DATABRICKS_CLIENT_SECRET"),
        }
        return lakekey.Client(**{**settings, **changes})

    def python(self, source: str, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """Runs a program in a fresh interpreter that this emulator's variables are set for."""
        return run_python(source, *arguments, env=self.emulator.environment(**changes))


def run_python(source: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program in a fresh interpreter and expects it to end well and soon."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(holds: Callable[[], object], within: float = 20.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"not within {within} s: {holds}"
        time.sleep(0.01)


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
