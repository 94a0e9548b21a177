"""Runs the conformance cases through the C library and libpq: ``run_c.py PROGRAM [ID ...]``.

PROGRAM is ``c/steps.c``, compiled. It does the steps of one case, each case in a process of its own, and is told and
tells by lines; what is said and expected is compared here.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from functools import partial
from typing import Any

from cases import Wrong, flat
from prove import CALL_LIMIT_S, CASE_LIMIT_S, Emulator, Steps, main, of_token


class Failure(Exception):
    """An ``lk_error``, read by the program."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__(facts.pop("text"))
        self.slug = ""
        self.__dict__.update(facts)


class Run(Steps):
    """One case, in its own process."""

    failure = Failure

    def __init__(self, names: dict[str, str], emulator: Emulator, process: subprocess.Popen[str]) -> None:
        super().__init__(names, emulator)
        self.process = process

    def do(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        lines = [op]
        for name, value in args.items():
            if name == "wait":
                lines.append(f"wait_ms\t{CALL_LIMIT_S * 1000 * value}")
            elif name == "settings":
                lines += [f"settings.{key}\t{text}" for key, text in value.items()]
            elif isinstance(value, dict):
                lines.append(f"{name}\t{json.dumps(value)}")
            elif name.endswith("_s"):
                lines.append(f"{name.removesuffix('_s')}_ms\t{math.ceil(value * 1000)}")
            else:
                lines.append(f"{name}\t{value}")
        lines = [line.replace("\\", "\\\\").replace("\n", "\\n") for line in lines]
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write("\n".join(lines) + "\n\n")
            self.process.stdin.flush()
            said = self.process.stdout.readline()
        except BrokenPipeError:
            said = ""
        if not said:
            raise Wrong(f"its process ended: {self.process.wait(CASE_LIMIT_S)}")
        answer = json.loads(said)
        if "failure" in answer:
            raise Failure(answer["failure"])
        if op == "call":
            return flat(answer)
        return {**answer, **of_token(answer["token"])} if op == "token" else answer


def run(program: str, steps: list[Any], env: dict[str, str], names: dict[str, str], emulator: Emulator) -> str | None:
    # Where the libraries are; lakekey looks at no such variable.
    env["LD_LIBRARY_PATH"] = os.environ.get("LD_LIBRARY_PATH", "")
    with subprocess.Popen([program], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        limit = threading.Timer(CASE_LIMIT_S, process.kill)
        limit.start()
        try:
            Run(names, emulator, process).steps(steps)
            process.stdin.close()
            if (code := process.wait(CASE_LIMIT_S)) != 0:
                raise Wrong(f"its process ended with {code}")
            return None
        except Wrong as wrong:
            return str(wrong)
        finally:
            limit.cancel()
            process.kill()


if __name__ == "__main__":
    sys.exit(main("C", partial(run, sys.argv[1]), sys.argv[2:]))
