"""What the tests of the Python package ask of the emulator, and programs run in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

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
        self.emulator.admin("POST", "/tokens", knobs)

    def fault(self, path: str, action: dict[str, object], **rule: object) -> None:
        self.emulator.admin("POST", "/faults", {"match": {"path": path}, "action": action, **rule})

    def clear_faults(self) -> None:
        self.emulator.admin("DELETE", "/faults")

    def hang_mints(self) -> None:
        self.fault("/api/2.0/postgres/credentials", {"kind": "hang"})

    def client(self, **changes: Any) -> lakekey.Client:
        """A client with an identity of its own, so that no other test of this process minted its credential before."""
        token = self.env["DATABRICKS_TOKEN"]
        settings = {"target": TARGET, "host": self.env["DATABRICKS_HOST"], "token_provider": lambda: token}
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
