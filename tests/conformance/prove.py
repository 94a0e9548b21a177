"""How a case is proved, for the runners that are driven from Python: steps one by one, what the control plane was asked,
and the line at the end. What a language does for a step is its runner's own.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import Wrong, fill, load, match, match_error

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from emulator import Emulator  # noqa: E402

CASE_LIMIT_S = 120
CALL_LIMIT_S = 60


def of_token(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return {"token": token, "subject": json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("sub")}


class Steps:
    """The steps of one case."""

    failure: type[Exception]
    """What the language's own errors are."""

    def __init__(self, names: dict[str, str], emulator: Emulator) -> None:
        self.names, self.emulator = names, emulator

    def do(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        """One call of the client."""
        raise NotImplementedError

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
        args = dict(step.get("args", {}))
        try:
            if step["op"] == "admin":
                found = self.emulator.admin(*args["call"].split(" ", 1), args.get("body", {})) or {}
            else:
                found = self.do(step["op"], args)
        except self.failure as error:
            if "error" not in step:
                raise Wrong(f"it failed: {error.slug}: {error}") from None
            return match_error(error, step["error"])
        if "error" in step:
            raise Wrong(f"it succeeded, and {step['error']['slug']} was expected")
        match(found, step.get("expect", {}), "result")
        self.names.update({name: found[field] for field, name in step.get("save", {}).items()})


Case = Callable[[list[dict[str, Any]], dict[str, str], dict[str, str], Emulator], "str | None"]
"""Does the steps of a case with these variables and names; what is wrong, or nothing."""


def prove(case: dict[str, Any], emulator: Emulator, run: Case) -> str | None:
    """What is wrong, or nothing."""
    emulator.admin("POST", "/reset", {})
    with tempfile.TemporaryDirectory() as home:
        names = {**emulator.env, "home": home, "uid": emulator.env["PGHOST"].split(".")[0]}
        for name, text in fill(case.get("files", {}), names).items():
            Path(home, name).write_text(text)
        env = {name: value for name, value in fill(case["env"], names).items() if value is not None}
        wrong = run(case["steps"], {**env, "HOME": home}, names, emulator)
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


def main(language: str, run: Case, chosen: list[str]) -> int:
    begun, failed = time.monotonic(), 0
    cases = [case for case in load() if not chosen or case["id"] in chosen]
    with Emulator("--project", "shop") as emulator:
        for case in cases:
            if wrong := prove(case, emulator, run):
                failed += 1
                print(f"FAILED {case['id']}: {wrong}\n  which is to prove: {case['why']}", flush=True)
    print(f"== {len(cases) - failed} passed, {failed} failed in {time.monotonic() - begun:.1f} s: conformance, {language} ==")
    return failed > 0 or not cases
