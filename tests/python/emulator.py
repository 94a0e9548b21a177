"""A local Lakebase for the tests of one process: starts ``lakekey emulate``, reads its ready line and ends it.

Without this file each test suite would parse the ready line and forget to end the process in its own way. It uses
nothing but the standard library, so a bench script or a demo can import it as well.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any

READY_WITHIN_S = 90.0
STOP_WITHIN_S = 15.0


class EmulatorFailed(Exception):
    """The emulator did not become ready, or its admin API refused a request."""


class Emulator:
    """One running emulator. ``ready`` is its ready line, ``env`` the variables a client program needs."""

    def __init__(self, *arguments: str, command: str | None = None) -> None:
        self._arguments = arguments
        self._command = command or os.environ.get("LAKEKEY_BIN", "")
        self._process: subprocess.Popen[str] | None = None
        self._log: deque[str] = deque(maxlen=200)
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Emulator:
        """Starts the process and returns when it says that it is ready."""
        if not self._command:
            raise EmulatorFailed("LAKEKEY_BIN names no lakekey binary; run the tests by `cargo xtask test`")
        if not Path(self._command).is_file():
            raise EmulatorFailed(f"LAKEKEY_BIN is {self._command}, which is no file; `cargo build -p lakekey-cli` makes it")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "LAKEBASE_"))}
        self._process = subprocess.Popen(
            [self._command, "emulate", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean,
        )
        answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read_stdout, args=(answers,), daemon=True).start()
        threading.Thread(target=self._read_stderr, daemon=True).start()
        try:
            ready = answers.get(timeout=READY_WITHIN_S)
        except queue.Empty:
            ready = None
        if ready is None:
            self.stop()
            raise EmulatorFailed(f"`{self._command} emulate` gave no ready line:\n" + self.log())
        self.ready = ready
        return self

    def stop(self) -> None:
        """Asks the process to end, waits, and kills it when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pid(self) -> int:
        """The process id, for tests that look at the process itself."""
        assert self._process is not None, "the emulator is not running"
        return self._process.pid

    @property
    def env(self) -> dict[str, str]:
        """The variables that point a client at this emulator, as ``--print-env`` shows them."""
        return dict(self.ready["env"])

    def environment(self, **changes: str | None) -> dict[str, str]:
        """This process's variables without any Databricks or Postgres ones, then ``env``, then the changes."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DATABRICKS_", "LAKEBASE_", "PG"))
        }
        kept.update(self.env)
        for name, value in changes.items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value
        return kept

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One request to the admin API; ``path`` begins after ``/_emulator``."""
        request = urllib.request.Request(
            self.ready["admin_url"] + "/_emulator" + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "authorization": f"Bearer {self.ready['admin_token']}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refusal:
            raise EmulatorFailed(f"{method} {path}: {refusal.code} {refusal.read().decode()}") from None
        return json.loads(text) if text else None

    def log(self) -> str:
        """The last lines the process wrote, for messages of failed tests."""
        return "\n".join(self._log)

    def _read_stdout(self, answers: queue.Queue[dict[str, Any] | None]) -> None:
        assert self._process is not None and self._process.stdout is not None
        waiting = True
        for line in self._process.stdout:
            if waiting and line.lstrip().startswith("{"):
                answers.put(json.loads(line))
                waiting = False
            else:
                self._log.append(line.rstrip())
        if waiting:
            answers.put(None)

    def _read_stderr(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line.rstrip())
