"""The unmodified SDKs of Go and Java as clients of the management API: every method that they have, from the table that all
of our languages call, with their own waits, masks, pages and classes of errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any

import pytest

from emulator import Emulator

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/conformance"))
from cases import flat  # noqa: E402

STEPS = json.loads((ROOT / "tests/conformance/cases/management.json").read_text())["cases"][0]["steps"]
METHODS = {
    method["name"]: method
    for resource in json.loads((ROOT / "core/api/postgres.json").read_text())["resources"]
    for method in resource["methods"]
}
ITEMS = {name: method["items"] for name, method in METHODS.items() if "items" in method}
MASKS = {
    "update_project": "spec.display_name",
    "update_branch": "spec.expiration",
    "update_endpoint": "spec.autoscaling_limit_min_cu,spec.autoscaling_limit_max_cu,spec.suspension",
    "update_role": "spec.attributes.createdb",
    "update_database": "spec.postgres_database",
    "update_data_api": "spec.db_max_rows",
}
CLASSES = {
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "INVALID_PARAMETER_VALUE": "InvalidParameterValue",
}
NEWER = {
    "create_snapshot",
    "get_snapshot",
    "list_snapshots",
    "delete_snapshot",
    "get_snapshot_schedule",
    "update_snapshot_schedule",
    "reveal_role_password",
}
"""What the newest published SDKs of Go and Java do not have."""


PROGRAMS = [
    pytest.param(["${LAKEKEY_GO_MANAGEMENT}"], id="go"),
    pytest.param(["java", "-cp", "${LAKEKEY_JAVA_WITNESS}", "Management"], id="java"),
]


def sent(call: dict[str, Any]) -> dict[str, Any]:
    """A call as these SDKs can make it: they compute no mask, and send an endpoint's type with every update."""
    method, arguments = call["method"], dict(call["arguments"])
    if method in MASKS:
        arguments.setdefault("update_mask", MASKS[method])
    if method == "update_endpoint":
        spec = {**arguments["endpoint"]["spec"], "endpoint_type": "ENDPOINT_TYPE_READ_ONLY"}
        arguments["endpoint"] = {"spec": spec}
    if method in ITEMS:
        arguments["page_size"] = 1  # So that there are pages.
    return {"method": method, "arguments": arguments}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_method_of_an_official_sdk(program: list[str]) -> None:
    program = [Template(part).substitute(os.environ) for part in program]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    missing, done = set(), set()
    with (
        Emulator("--parent-pid", str(os.getpid())) as emulator,
        subprocess.Popen(
            program, env={**environment, **emulator.env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client,
    ):
        assert client.stdin is not None and client.stdout is not None
        for step in STEPS:
            if step["op"] == "admin":
                emulator.admin(*step["args"]["call"].split(" "), step["args"]["body"])
                continue
            told = json.dumps(step["args"]["arguments"])
            ours = "branches/run-7" in told or "roles/ann-example-com" in told
            if step.get("error", {}).get("slug") == "API_ARGUMENT" or step["args"]["method"] not in METHODS or ours:
                continue  # What lakekey refuses before it is sent, another service, and what lakekey's own methods made.
            call = sent(step["args"])
            client.stdin.write(json.dumps(call) + "\n")
            client.stdin.flush()
            said = json.loads(client.stdout.readline() or '{"error": "the program ended"}')
            if said.get("unknown"):
                missing.add(call["method"])
                continue
            if error := step.get("error"):
                assert (said.get("code"), said.get("class")) == (error["api_code"], CLASSES[error["api_code"]]), call
            else:
                assert "error" not in said, (call, said)
                answer = {ITEMS[call["method"]]: said.get("answer") or []} if call["method"] in ITEMS else said["answer"]
                found, expect = flat(answer), step.get("expect", {})
                assert {path: found.get(path) for path in expect} == expect, (call, said)
            done.add(call["method"])
        client.stdin.close()
        assert client.wait(60) == 0
    assert missing == NEWER
    assert done == METHODS.keys() - NEWER
