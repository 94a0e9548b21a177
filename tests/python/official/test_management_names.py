"""The description of the API against the newest SDK: each method, message, field and enum value that differs is named."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
from pathlib import Path
from typing import Any

from databricks.sdk.service import postgres as sdk
from databricks.sdk.version import __version__ as sdk_version

import lakekey.postgres

API: dict[str, Any] = json.loads((Path(__file__).parents[3] / "core/api/postgres.json").read_text())
RESOURCES: list[dict[str, Any]] = API["resources"]
WIRE = {"str": "string", "dict": "any", "Timestamp": "timestamp", "Duration": "duration", "FieldMask": "mask"}


def kind(hint: str) -> str:
    """The SDK's type as the description writes it."""
    if found := re.fullmatch(r"Optional\[(.*)\]", hint):
        return kind(found[1])
    if found := re.fullmatch(r"List\[(.*)\]", hint):
        return f"list<{kind(found[1])}>"
    if hint == "Dict[str, str]":
        return "map<string>"
    if hint.startswith("Dict["):
        return "any"
    return WIRE.get(hint, hint)


def ours(what: str) -> dict[str, Any]:
    return {one["name"]: one for resource in RESOURCES for one in resource.get(what, ())}


def test_it_is_compared_with_the_sdk_that_is_installed() -> None:
    assert API["sdk"] == sdk_version, "compare the description with this SDK, and say so in it"


def test_methods_are_the_sdks() -> None:
    theirs = {
        name: [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
        for name, method in vars(sdk.PostgresAPI).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }
    described = {}
    for name, method in ours("methods").items():
        body = method.get("body")
        named = re.findall(r"\{(\w+)\}", method["path"]) + [query["name"] for query in method.get("query", ())]
        if isinstance(body, dict):
            named += [body["resource"]] if "resource" in body else [field["name"] for field in body["fields"]]
        described[name] = sorted(named)
    print(f"{len(theirs)} methods")
    assert described == {name: sorted(parameters) for name, parameters in theirs.items()}


def test_messages_have_the_sdks_fields() -> None:
    theirs = {
        f"{name}.{field.name}": kind(str(field.type))
        for name, message in vars(sdk).items()
        if dataclasses.is_dataclass(message) and message.__module__ == sdk.__name__
        for field in dataclasses.fields(message) or [None]
        if field is not None
    }
    messages = ours("messages")
    described = {f"{name}.{field['name']}": field["type"] for name, message in messages.items() for field in message["fields"]}
    print(f"{len(messages)} messages, {len(theirs)} fields")
    assert described == theirs
    assert set(messages) == {
        name for name, one in vars(sdk).items() if dataclasses.is_dataclass(one) and one.__module__ == sdk.__name__
    }


def test_enums_have_the_sdks_values() -> None:
    theirs = {
        name: sorted(value.value for value in one)
        for name, one in vars(sdk).items()
        if inspect.isclass(one) and issubclass(one, enum.Enum) and one.__module__ == sdk.__name__
    }
    print(f"{len(theirs)} enums, {sum(map(len, theirs.values()))} values")
    assert {name: sorted(one["values"]) for name, one in ours("enums").items()} == theirs


def test_a_program_written_for_the_sdk_finds_the_same_arguments_in_the_same_places() -> None:
    for name, method in vars(sdk.PostgresAPI).items():
        if not inspect.isfunction(method) or name.startswith("_"):
            continue
        own = inspect.signature(getattr(lakekey.postgres.Postgres, name)).parameters
        theirs = inspect.signature(method).parameters
        positional = [each.name for each in theirs.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert [each.name for each in own.values() if each.kind is each.POSITIONAL_OR_KEYWORD] == positional, name
        assert set(theirs) <= set(own), name
        twin = inspect.signature(getattr(lakekey.postgres.AsyncPostgres, name)).parameters
        assert list(twin) == list(own), name
