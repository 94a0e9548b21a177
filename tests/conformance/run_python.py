"""Runs the conformance cases through the Python package and psycopg: ``run_python.py [ID ...]``.

The parent owns the emulator and the files; each case runs in a process of its own, because the package reads its
environment from the process and shares credentials within it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

import lakekey
import psycopg
from cases import Wrong, flat
from lakekey.postgres import Operation
from prove import CALL_LIMIT_S, CASE_LIMIT_S, Emulator, Steps, main, of_token


class Run(Steps):
    """One case, in its own process."""

    failure = lakekey.LakekeyError
    client: lakekey.Client | None = None

    def do(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        if op == "explain":
            return self.explain(**args)
        args = {name.removesuffix("_s"): value for name, value in args.items()}
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
        if op == "call":
            return flat(self.call(**args))
        if op == "close":
            self.client.close()
        return {}

    def explain(self, text: str, sqlstate: str | None = None) -> dict[str, Any]:
        error = psycopg.OperationalError(text)
        error.sqlstate = sqlstate
        kind, retry, _, invalidate, hint = lakekey.explain(error)
        return {"class": kind, "retry": retry, "invalidate": invalidate, "hint": hint}

    def call(self, method: str, arguments: dict[str, Any], wait: bool = False) -> Any:
        answer = self.client.postgres.call(method, arguments)
        return Operation(self.client, dict, answer).wait(CALL_LIMIT_S) if wait else answer

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
    emulator = Emulator()
    emulator.ready = ready
    try:
        Run(names, emulator).steps(steps)
        pipe.send(None)
    except Exception as error:
        pipe.send(str(error) if isinstance(error, Wrong) else repr(error))


def run(
    processes: ForkServerContext, steps: list[Any], env: dict[str, str], names: dict[str, str], emulator: Emulator
) -> str | None:
    here, there = processes.Pipe()
    process = processes.Process(target=child, args=(there, env, steps, names, emulator.ready))
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(CASE_LIMIT_S) else f"it has not ended after {CASE_LIMIT_S} s"
    except EOFError:
        return "its process died"
    finally:
        process.kill()
        process.join()


if __name__ == "__main__":
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["concurrent.futures", "lakekey", "psycopg", "tempfile", "urllib.request"])
    sys.exit(main("Python", partial(run, processes), sys.argv[1:]))
