"""What psycopg is told when Lakebase refuses a login, row by row. libpq gives no SQLSTATE while connecting, so the texts
count; the codes are checked with a raw client in the emulator's own tests, and here against what the emulator sent."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from lakebase import TARGET, Lakebase

WORDS = 'password authentication failed for user "user@emulator.test"'
IDENTITY = "Invalid authorization for databricks identity login"
EXTERNAL = "External authorization failed."


def workspace_oauth(lakebase: Lakebase) -> str:
    request = urllib.request.Request(
        lakebase.env["DATABRICKS_HOST"] + "/oidc/v1/token",
        data=b"grant_type=client_credentials&scope=all-apis",
        headers={
            "Authorization": "Basic "
            + base64.b64encode(b"00000000-0000-4000-8000-000000000001:emulator-secret").decode()
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["access_token"])


def expired(lakebase: Lakebase) -> str:
    lakebase.tokens(ttl_s=5)
    token = lakebase.client().token()
    lakebase.emulator.admin("POST", "/clock", {"advance_s": 60})
    return token


def foreign(lakebase: Lakebase) -> str:
    token = lakebase.client().token()
    lakebase.tokens(rotate_key=True)
    return token


def stranger(lakebase: Lakebase) -> str:
    return lakebase.client(token_provider=lambda: "dapi-emulator-stranger").token()


# What is wrong with the password, the SQLSTATE that the emulator sends and the text that psycopg shows.
PASSWORDS: list[tuple[str, Callable[[Lakebase], str], str, str]] = [
    ("a personal access token", lambda _: "dapi-emulator", "28P01", "not a valid JWT encoding"),
    ("a workspace OAuth token", workspace_oauth, "28000", IDENTITY),
    ("an expired credential", expired, "28P01", WORDS),
    ("a credential of another key", foreign, "28000", IDENTITY),
    ("somebody else's credential", stranger, "28P01", WORDS),
    ("half a credential", lambda lakebase: lakebase.client().token()[:600], "28P01", "not a valid JWT encoding"),
]

# What is wrong with the connection.
DIALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no TLS", {"sslmode": "disable"}, "08P01", "Invalid protocol version. Protocol version: 196608"),
    ("no SNI", {"sslsni": "0"}, "08006", "Connection does not have SNI."),
    (
        "an unknown endpoint",
        {"host": "ep-no-such-0a1b2c3d.database.localhost"},
        "28000",
        EXTERNAL,
    ),
    ("a role that does not exist", {"user": "nobody@example.com"}, "28P01", 'user "nobody@example.com"'),
    ("a database that does not exist", {"dbname": "nope"}, "", 'database "nope" does not exist'),
]


def parameters_of(lakebase: Lakebase) -> dict[str, Any]:
    """The parameters of one address: psycopg would try the next one after some refusals."""
    parameters = lakebase.client().connect_params(TARGET)
    return {**parameters, **{name: parameters[name].split(",")[0] for name in ("host", "hostaddr", "port")}}


def refused(parameters: dict[str, Any]) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(**parameters, connect_timeout=20).close()
    assert caught.value.sqlstate is None, "libpq tells no code while connecting"
    return str(caught.value)


def sent(lakebase: Lakebase) -> str:
    return str(lakebase.entries("login")[-1]["sqlstate"] or "")


@pytest.mark.parametrize(("what", "password", "code", "text"), PASSWORDS, ids=[row[0] for row in PASSWORDS])
def test_a_password_that_is_no_valid_credential(
    lakebase: Lakebase, what: str, password: Callable[[Lakebase], str], code: str, text: str
) -> None:
    parameters = parameters_of(lakebase)
    parameters["password"] = password(lakebase)
    said = refused(parameters)
    assert text in said
    assert sent(lakebase) == code
    assert parameters["password"] not in said


@pytest.mark.parametrize(("what", "changes", "code", "text"), DIALS, ids=[row[0] for row in DIALS])
def test_a_dial_that_the_front_door_refuses(
    lakebase: Lakebase, what: str, changes: dict[str, Any], code: str, text: str
) -> None:
    parameters = {**parameters_of(lakebase), **changes}
    if "sslmode" in changes:
        del parameters["sslrootcert"]
    assert text in refused(parameters)
    if code:
        assert sent(lakebase) == code


def test_a_pooled_host_takes_no_token(lakebase: Lakebase) -> None:
    parameters = parameters_of(lakebase)
    uid, rest = parameters["host"].split(".", 1)
    parameters["host"] = f"{uid}-pooler.{rest}"
    assert "SASL authentication failed" in refused(parameters)


def test_authorization_outside_of_postgres_gives_its_reason(lakebase: Lakebase) -> None:
    parameters = parameters_of(lakebase)
    reason = "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 42"
    lakebase.emulator.admin(
        "POST", "/faults", {"action": {"kind": "external_authorization", "reason": reason}}
    )
    said = refused(parameters)
    assert EXTERNAL in said and "This could be due to paused instances" in said and reason in said
    assert sent(lakebase) == "28000"


def test_a_disabled_endpoint_refuses_and_stays_asleep(lakebase: Lakebase) -> None:
    parameters = parameters_of(lakebase)
    lakebase.emulator.admin("POST", f"/endpoints/{TARGET}", {"action": "disable"})
    try:
        starts = lakebase.counters()["endpoints"]
        assert EXTERNAL in refused(parameters)
        assert lakebase.counters()["endpoints"].keys() == starts.keys()
        assert lakebase.emulator.admin("GET", f"/endpoints/{TARGET}")["compute"] == "suspended"
    finally:
        lakebase.emulator.admin("POST", f"/endpoints/{TARGET}", {"action": "enable"})
