"""The form of the conformance cases, and what a result is compared with, for ``run_python.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "boolean": bool, "null": type(None)}


class Wrong(Exception):
    """A case, or what it proves, is wrong."""


def check(value: Any, schema: dict[str, Any], defs: dict[str, Any], at: str) -> None:
    """The part of JSON Schema that ``schema.json`` uses."""
    if "$ref" in schema:
        return check(value, defs[schema["$ref"].rpartition("/")[2]], defs, at)
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[name]) and (name != "number" or value is not True) for name in allowed):
        raise Wrong(f"{at} is no {allowed}")
    if "enum" in schema and value not in schema["enum"]:
        raise Wrong(f"{at} is {value!r}")
    if isinstance(value, dict):
        if missing := [name for name in schema.get("required", []) if name not in value]:
            raise Wrong(f"{at} lacks {missing}")
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            if inner is False:
                raise Wrong(f"{at} has an unknown key {name!r}")
            if isinstance(inner, dict):
                check(item, inner, defs, f"{at}.{name}")
    for index, item in enumerate(value if isinstance(value, list) else []):
        check(item, schema["items"], defs, f"{at}[{index}]")


def load() -> list[dict[str, Any]]:
    schema = json.loads((HERE / "schema.json").read_text())
    cases: dict[str, dict[str, Any]] = {}
    for path in sorted((HERE / "cases").glob("*.json")):
        file = json.loads(path.read_text())
        check(file, schema, schema["$defs"], path.name)
        for case in file["cases"]:
            if case["id"] in cases:
                raise Wrong(f"two cases are called {case['id']}")
            cases[case["id"]] = {**case, "env": {**file.get("env", {}), **case.get("env", {})}}
    return list(cases.values())


def fill(value: Any, names: dict[str, str]) -> Any:
    """Puts in what ``${NAME}`` stands for."""
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: names[found[1]], value)
    if isinstance(value, dict):
        return {name: fill(item, names) for name, item in value.items()}
    return [fill(item, names) for item in value] if isinstance(value, list) else value


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """What stands at each path of an answer."""
    if isinstance(value, list):
        value = {**{str(index): item for index, item in enumerate(value)}, "length": len(value)}
    if not isinstance(value, dict):
        return {at: value}
    below = (flat(item, f"{at}.{name}" if at else name) for name, item in value.items())
    return {path: item for part in below for path, item in part.items()}


def match(found: dict[str, Any], expected: dict[str, Any], what: str) -> None:
    for name, want in expected.items():
        have = found.get(name)
        good = have == want
        if isinstance(want, dict):
            good = (
                ("not" not in want or have != want["not"])
                and ("contains" not in want or want["contains"] in str(have))
                and ("min" not in want or have is not None and have >= want["min"])
                and ("max" not in want or have is not None and have <= want["max"])
            )
        if not good:
            raise Wrong(f"{what}: {name} is {have!r}, expected {want!r}")


def match_error(error: Any, expected: dict[str, Any]) -> None:
    shown = f"{error.slug}: {error}"
    for name in ("slug", "code", "retryable", "http_status", "api_code"):
        if name in expected and getattr(error, name) != expected[name]:
            raise Wrong(f"{name} is {getattr(error, name)!r}, expected {expected[name]!r}: {shown}")
    for name in ("message", "hint"):
        for part in expected.get(name, []):
            if part not in (getattr(error, name) or ""):
                raise Wrong(f"the {name} lacks {part!r}: {shown}")
    for part in expected.get("hidden", []):
        if part in f"{shown} {error!r} {error.causes}":
            raise Wrong(f"the error shows {part!r}: {shown}")
