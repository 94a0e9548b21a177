"""Runs the conformance cases through the Python package and psycopg: ``run_python.py [ID ...]``.

The parent owns the emulator and the files; each case runs in a process of its own, because the package reads its
environment from the process and shares credentials within it.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import lakekey
import psycopg
from cases import Wrong, fill, load, match, match_error

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from emulator import Emulator  # noqa: E402

CASE_LIMIT_S = 30


def of_token(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return {"token": token, "subject": json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("sub")}


class Run:
    """One case, in its own process."""

    def __init__(self, names: dict[str, str], ready: dict[str, Any]) -> None:
        self.names, self.emulator, self.client = names, Emulator(), None
        self.emulator.ready = ready

    def steps(self, steps: list[dict[str, Any]]) -> None:
        for number, step in enumerate(steps, 1):
            end = time.monotonic() + step.get("until_s", 0)
            while True:
                try:
                    self.step(fill(step, self.names))
                    break
                except Wrong as wrong:
                    if time.monotonic() >= end:
                        raise Wrong(f"step {number} ({step['op']}): {wrong}") from None
                    time.sleep(0.05)

    def step(self, step: dict[str, Any]) -> None:
        try:
            found = self.do(step["op"], dict(step.get("args", {})))
        except lakekey.LakekeyError as error:
            if "error" not in step:
                raise Wrong(f"it failed: {error.slug}: {error}") from None
            return match_error(error, step["error"])
        if "error" in step:
            raise Wrong(f"it succeeded, and {step['error']['slug']} was expected")
        match(found, step.get("expect", {}), "result")
        self.names.update({name: found[field] for field, name in step.get("save", {}).items()})

    def do(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        args = {name.removesuffix("_s"): value for name, value in args.items()}
        if op == "admin":
            return self.emulator.admin(*args["call"].split(" ", 1), args.get("body", {})) or {}
        if op == "client" or self.client is None:
            self.client = lakekey.Client(**({**args.pop("settings", {}), **args} if op == "client" else {}))
        if op == "token":
            return of_token(self.client.token(**args))
        if op == "credential":
            got = self.client.credential(**args)
            return {
                "token": got.token,
                "subject": got.subject,
                "endpoint": got.endpoint,
                "lifetime_s": round((got.expires_at - got.issued_at).total_seconds()),
            }
        if op == "connect_params":
            return dict(self.client.connect_params(**args))
        if op == "conninfo":
            return {"conninfo": self.client.conninfo(**args)}
        if op == "invalidate":
            return {"fresh": self.client.invalidate(args["token"])}
        if op == "storm":
            with ThreadPoolExecutor(args["count"]) as pool:
                return {"distinct": len(set(pool.map(lambda _: self.client.token(), range(args["count"]))))}
        if op == "login":
            return self.login(args)
        if op == "close":
            self.client.close()
        return {}

    def login(self, args: dict[str, Any]) -> dict[str, Any]:
        password = args.pop("password", None)
        params = self.client.connect_params(**args)
        try:
            with psycopg.connect(**{**params, **({"password": password} if password else {})}, connect_timeout=10) as session:
                user, database = session.execute("select current_user, current_database()").fetchone()
                return {"user": user, "database": database}
        except psycopg.OperationalError as error:
            return {"refused": str(error)}


def child(pipe: Connection, env: dict[str, str], steps: list[Any], names: dict[str, str], ready: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(env)
    try:
        Run(names, ready).steps(steps)
        pipe.send(None)
    except Exception as error:
        pipe.send(str(error) if isinstance(error, Wrong) else repr(error))


def run(case: dict[str, Any], emulator: Emulator, processes: ForkServerContext) -> str | None:
    """What is wrong, or nothing."""
    emulator.admin("POST", "/reset", {})
    with tempfile.TemporaryDirectory() as home:
        names = {**emulator.env, "home": home, "uid": emulator.env["PGHOST"].split(".")[0]}
        for name, text in fill(case.get("files", {}), names).items():
            Path(home, name).write_text(text)
        env = {name: value for name, value in fill(case["env"], names).items() if value is not None}
        here, there = processes.Pipe()
        process = processes.Process(target=child, args=(there, {**env, "HOME": home}, case["steps"], names, emulator.ready))
        process.start()
        there.close()
        try:
            wrong = here.recv() if here.poll(CASE_LIMIT_S) else f"it has not ended after {CASE_LIMIT_S} s"
        except EOFError:
            wrong = "its process died"
        process.kill()
        process.join()
    end = time.monotonic() + 2
    while wrong is None:
        counters = emulator.admin("GET", "/requests")["counters"]
        counts = {route: sum(by.values()) for route, by in counters["requests"].items()}
        try:
            if sum(counts.values()) != counters["requests_total"]:
                raise Wrong(f"requests: one has not ended: {counters['requests_total']} came, {counts} ended")
            if "requests" in case:
                match(counts, {**dict.fromkeys(counts), **case["requests"]}, "requests")
            return None
        except Wrong as why:
            if time.monotonic() >= end:
                return str(why)
            time.sleep(0.02)
    return wrong


def main(chosen: list[str]) -> int:
    begun, failed = time.monotonic(), 0
    cases = [case for case in load() if not chosen or case["id"] in chosen]
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["concurrent.futures", "lakekey", "psycopg", "tempfile", "urllib.request"])
    with Emulator("--project", "shop") as emulator:
        for case in cases:
            if wrong := run(case, emulator, processes):
                failed += 1
                print(f"FAILED {case['id']}: {wrong}\n  which is to prove: {case['why']}", flush=True)
    print(f"== {len(cases) - failed} passed, {failed} failed in {time.monotonic() - begun:.1f} s: conformance, Python ==")
    return failed > 0 or not cases


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
