"""The management API of the Python package."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import lakekey
from emulator import Emulator
from lakebase import Lakebase
from lakekey.postgres import (
    Branch,
    BranchSpec,
    BranchStatusState,
    DatabaseCredential,
    Endpoint,
    EndpointType,
    Message,
    Operation,
    Postgres,
    Progress,
    ProjectCustomTag,
    ProjectSpec,
    RequestedClaims,
)
from lakekey.postgres._mask import paths_of

ROOT = Path(__file__).parents[3]
TABLE = json.loads((ROOT / "tests/conformance/cases/management.json").read_text())["cases"][0]["steps"]
API = [
    method
    for file in ("postgres", "permissions", "own")
    for resource in json.loads((ROOT / f"core/api/{file}.json").read_text())["resources"]
    for method in resource["methods"]
]
BRANCH = "projects/emulator/branches/production"


def at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(answer, list):
            answer = len(answer) if part == "length" else answer[int(part)]
        else:
            answer = answer[part]
    return answer


def by_method(postgres: Postgres, call: dict[str, Any]) -> Any:
    """By the method of this name, with messages; the conformance cases call it by name and JSON."""
    given = getattr(postgres, call["method"])(**call["arguments"])
    if isinstance(given, Operation):
        given = given.wait(60)
    if isinstance(given, (Message, type(None))):
        return None if given is None else given.as_dict()
    (items,) = [method["items"] for method in API if method["name"] == call["method"]]
    return {items: [item.as_dict() for item in given]}


def test_every_method(lakebase: Lakebase, running: Emulator) -> None:
    postgres = lakekey.Client().postgres
    calls = [step for step in TABLE if step["op"] == "call"]
    for step in TABLE:
        if step["op"] == "admin":
            running.admin(*step["args"]["call"].split(" "), step["args"]["body"])
            continue
        call, expect = step["args"], step.get("expect", {})
        if call["method"] == "make_branch" or "nmae" in call["arguments"]:
            continue  # Python itself refuses what is misspelt.
        if error := step.get("error"):
            with pytest.raises(lakekey.LakekeyError) as raised:
                by_method(postgres, call)
            assert (raised.value.slug, raised.value.api_code) == (error["slug"], error.get("api_code")), call
            continue
        answer = by_method(postgres, call)
        assert {path: at(answer, path) for path in expect} == expect, call
    assert {step["args"]["method"] for step in calls} == {method["name"] for method in API} | {"make_branch"}


def test_methods_give_messages(lakebase: Lakebase) -> None:
    postgres = lakekey.Client().postgres
    branch = postgres.get_branch(BRANCH)
    assert isinstance(branch, Branch)
    assert branch.status is not None
    assert branch.status.current_state is BranchStatusState.READY
    assert isinstance(branch.create_time, datetime)
    (endpoint,) = postgres.list_endpoints(BRANCH)
    assert isinstance(endpoint, Endpoint)
    assert endpoint.status is not None
    assert endpoint.status.endpoint_type == EndpointType.ENDPOINT_TYPE_READ_WRITE


def test_lists_are_read_page_by_page(lakebase: Lakebase) -> None:
    postgres = lakekey.Client().postgres
    roles = [role.role_id for role in postgres.list_roles(BRANCH, page_size=1)]
    assert len(roles) == 3
    assert roles == [role.role_id for role in postgres.list_roles(BRANCH)]


def test_the_same_for_asyncio(lakebase: Lakebase) -> None:
    async def main() -> None:
        postgres = lakekey.Client().apostgres
        assert (await postgres.get_branch(BRANCH)).name == BRANCH
        assert len([role async for role in postgres.list_roles(BRANCH, page_size=1)]) == 3
        with pytest.raises(lakekey.ApiError) as missing:
            await postgres.get_branch("projects/emulator/branches/nowhere")
        assert missing.value.http_status == 404
        assert missing.value.details[0]["@type"].endswith("RequestInfo")

    asyncio.run(main())


def test_a_credential_is_not_shown(lakebase: Lakebase) -> None:
    credential = lakekey.Client().postgres.generate_database_credential(f"{BRANCH}/endpoints/primary", ttl=600)
    assert isinstance(credential, DatabaseCredential)
    assert credential.token is not None and credential.expire_time is not None
    assert credential.token not in repr(credential)
    assert timedelta(minutes=9) < credential.expire_time - datetime.now(timezone.utc) <= timedelta(minutes=10, seconds=5)


def test_a_wait_tells_how_it_goes_and_ends_with_what_was_made(lakebase: Lakebase) -> None:
    postgres = lakekey.Client().postgres
    told: list[Progress] = []
    creating = postgres.create_branch("projects/emulator", Branch(spec=BranchSpec(no_expiry=True)), "waited")
    again = postgres.operation(creating.name, Branch)
    branch = creating.wait(timeout=60, progress=told.append)
    assert branch.name == creating.resource == "projects/emulator/branches/waited"
    assert all(one.name == creating.name and one.waited >= 0 for one in told)
    assert again.wait(timeout=60) == branch
    assert branch.name is not None
    with pytest.raises(lakekey.ApiError, match="already exists"):
        postgres.create_branch("projects/emulator", Branch(spec=BranchSpec(no_expiry=True)), "waited")
    spec = BranchSpec(no_expiry=True)
    same = postgres.create_branch("projects/emulator", Branch(spec=spec), "waited", get_existing=True).wait(timeout=60)
    assert same.uid == branch.uid
    deleting = postgres.delete_branch(branch.name)
    assert deleting.wait(timeout=60) is None


def test_an_operation_is_known_by_its_name(lakebase: Lakebase) -> None:
    operation = lakekey.Client().postgres.operation(f"{BRANCH}/operations/b25l+/8=", Branch)
    with pytest.raises(lakekey.ApiError):
        operation.wait(timeout=10)


def test_messages_keep_what_they_do_not_know() -> None:
    wire = {
        "name": BRANCH,
        "create_time": "2026-01-02T03:04:05.123456789Z",
        "newer": {"a": [1, None]},
        "spec": {"ttl": "1.5s", "newer_still": True},
        "status": {"current_state": "HIBERNATING", "logical_size_bytes": "7"},
    }
    branch = Branch.from_dict(copy.deepcopy(wire))
    assert branch.create_time == datetime(2026, 1, 2, 3, 4, 5, 123456, timezone.utc)
    assert branch.spec is not None and branch.status is not None
    assert branch.spec.ttl == timedelta(seconds=1.5)
    assert (branch.status.current_state, branch.status.logical_size_bytes) == ("HIBERNATING", 7)
    assert branch.as_dict() == wire
    branch.spec.ttl = timedelta(hours=1)
    branch.spec.no_expiry = None
    assert branch.as_dict()["spec"] == {"ttl": "3600s", "newer_still": True}
    assert pickle.loads(pickle.dumps(branch)) == branch
    assert repr(branch).startswith("Branch(name='projects/emulator/branches/production', create_time=")


def test_messages_are_made_of_fields() -> None:
    spec = ProjectSpec(custom_tags=[ProjectCustomTag(key="a", value="b")], history_retention_duration=timedelta(days=2))
    assert spec.as_dict() == {"custom_tags": [{"key": "a", "value": "b"}], "history_retention_duration": "172800s"}
    assert spec.custom_tags is not None
    spec.custom_tags.append(ProjectCustomTag(key="c"))
    assert len(spec.as_dict()["custom_tags"]) == 2
    with pytest.raises(TypeError, match="BranchSpec has no field 'tll'; it has expire_time"):
        BranchSpec(tll=timedelta(hours=1))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="no time zone"):
        BranchSpec(expire_time=datetime(2026, 1, 1)).as_dict()
    with pytest.raises(ValueError, match=r"BranchSpec.ttl: 'soon' is no duration"):
        _ = BranchSpec.from_dict({"ttl": "soon"}).ttl
    assert RequestedClaims() == RequestedClaims() != Branch()


def test_masks_come_in_every_form() -> None:
    class FieldMask:
        paths = ("spec.ttl", "spec.is_protected")

    assert paths_of(FieldMask()) == paths_of(["spec.ttl", "spec.is_protected"])
    assert (paths_of("spec"), paths_of(None)) == ("spec", None)
