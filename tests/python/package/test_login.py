"""Logins that fail: which are tried again, which are told at once, and what is said of them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import psycopg
import psycopg_pool
import pytest

import lakekey
import lakekey.psycopg
from lakebase import TARGET, Lakebase, until

ACL = "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 42"


def refuse_at_the_door(lakebase: Lakebase, reason: str | None = None, **rule: object) -> None:
    action = {"kind": "external_authorization", **({"reason": reason} if reason else {})}
    lakebase.emulator.admin("POST", "/faults", {"action": action, **rule})


def endpoint(lakebase: Lakebase, **change: object) -> None:
    lakebase.emulator.admin("POST", f"/endpoints/{TARGET}", change)


def connected(**options: Any) -> None:
    with lakekey.psycopg.connect(**options) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def aconnected(**options: Any) -> None:
    async def main() -> None:
        async with await lakekey.psycopg.aconnect(**options) as conn:
            await conn.execute("SELECT 1")

    asyncio.run(main())


BOTH = pytest.mark.parametrize("connect", [connected, aconnected], ids=["sync", "async"])


@BOTH
def test_a_door_that_refuses_for_a_while_is_waited_out(lakebase: Lakebase, connect: Callable[..., None]) -> None:
    refuse_at_the_door(lakebase, times=4)
    connect(client=lakebase.client())
    counters = lakebase.counters()
    assert (counters["mints"], counters["logins_refused"], counters["logins_accepted"]) == (1, 4, 1)


@BOTH
def test_a_compute_that_fails_to_wake_is_waited_for(lakebase: Lakebase, connect: Callable[..., None]) -> None:
    endpoint(lakebase, action="suspend", wake_fail=2)
    connect(client=lakebase.client())


@BOTH
def test_what_does_not_pass_is_told_at_once_with_the_fix(lakebase: Lakebase, connect: Callable[..., None]) -> None:
    client = lakebase.client()
    client.connect_params()

    def refused(kind: str, part: str, **options: Any) -> None:
        began = time.monotonic()
        with pytest.raises(lakekey.psycopg.LoginRefused) as caught:
            connect(client=client, **options)
        # Some tens of milliseconds on a machine that has nothing else to do.
        assert time.monotonic() - began < 5
        error = caught.value
        assert error.explanation is not None and error.explanation.kind == kind
        assert f"[{kind}]" in str(error) and error.hint is not None and part in error.hint
        assert lakekey.explain(error) == error.explanation
        assert isinstance(error.__cause__, psycopg.OperationalError)

    refuse_at_the_door(lakebase, ACL)
    refused("ip_blocked", "192.0.2.7")
    lakebase.clear_faults()
    refused("role_missing", "databricks_create_role('nobody@example.com', 'USER')", user="nobody@example.com")
    refused("database_missing", "CREATE DATABASE", dbname="nope")
    endpoint(lakebase, action="disable")
    try:
        refused("endpoint_disabled", "spec.disabled = false")
        assert lakebase.counters()["logins_refused"] <= 5
    finally:
        endpoint(lakebase, action="enable")


def test_a_budget_that_ends_tells_its_kind_and_what_happened_and_no_secret(lakebase: Lakebase) -> None:
    client = lakebase.client()
    refuse_at_the_door(lakebase)
    with pytest.raises(lakekey.psycopg.LoginFailed) as caught:
        lakekey.psycopg.connect(client=client, timeout=1)
    error = caught.value
    assert not isinstance(error, lakekey.psycopg.LoginRefused) and error.retryable
    assert error.slug == "LOGIN_UNAVAILABLE" and "no login within" in error.message
    assert any("attempt 1 at 127.0.0.1 failed" in event for event in error.events), error.events
    shown = f"{error} {error.events} {error!r}"
    assert client.token() not in shown and lakebase.env["DATABRICKS_TOKEN"] not in shown


def test_a_query_is_never_tried_again(lakebase: Lakebase) -> None:
    class Mine(psycopg.Connection[Any]):
        runs = 0

        @classmethod
        def connect(cls, *arguments: Any, **given: Any) -> Any:
            made = super().connect(*arguments, **given)
            cls.runs += 1
            made.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with lakekey.psycopg.pool(client=lakebase.client(), connection_class=Mine, min_size=1, timeout=1) as pool:
        with pytest.raises(psycopg_pool.PoolTimeout), pool.connection():
            pass
    assert Mine.runs <= 2, "the pool's own tries, and none of lakekey's"


def test_a_pool_names_the_login_that_it_waited_for(lakebase: Lakebase) -> None:
    refuse_at_the_door(lakebase)
    with lakekey.psycopg.pool(client=lakebase.client(), min_size=1) as pool:
        with pytest.raises(psycopg_pool.PoolTimeout) as caught, pool.connection(timeout=1.5):
            pass
    error: Any = caught.value
    assert isinstance(error, lakekey.LakekeyError) and isinstance(error, psycopg.OperationalError)
    assert error.explanation.kind == lakekey.explain(error).kind and error.explanation.retry
    assert "External authorization failed" in str(error) and error.hint and error.__cause__ is not None


def test_a_pool_that_never_had_a_connection_says_at_once_what_will_not_pass(lakebase: Lakebase) -> None:
    began = time.monotonic()
    with lakekey.psycopg.pool(client=lakebase.client(), user="nobody@example.com", min_size=1) as pool:
        with pytest.raises(psycopg_pool.PoolTimeout) as caught, pool.connection(timeout=60):
            pass
    assert time.monotonic() - began < 20
    assert lakekey.explain(caught.value).kind == "role_missing"
    assert "databricks_create_role('nobody@example.com', 'USER')" in str(caught.value)
    assert "after 60" not in str(caught.value), "it did not wait so long"


def test_a_pool_whose_first_login_hangs_says_so_in_its_own_time(lakebase: Lakebase) -> None:
    hang = {"action": {"kind": "login", "at": "password", "how": "hang"}}
    lakebase.emulator.admin("POST", "/faults", hang)
    began = time.monotonic()
    with lakekey.psycopg.pool(client=lakebase.client(), min_size=1, timeout=3) as pool:
        with pytest.raises(psycopg_pool.PoolTimeout) as caught, pool.connection():
            pass
        lakebase.clear_faults()
    assert time.monotonic() - began < 10
    assert lakekey.explain(caught.value).kind == "tcp", caught.value


async def test_an_async_pool_that_never_had_a_connection_says_so_too(lakebase: Lakebase) -> None:
    async with lakekey.psycopg.async_pool(client=lakebase.client(), dbname="nope", min_size=1) as pool:
        with pytest.raises(psycopg_pool.PoolTimeout) as caught:
            async with pool.connection(timeout=60):
                pass
    assert lakekey.explain(caught.value).kind == "database_missing"


def test_a_busy_pool_is_no_failed_login(lakebase: Lakebase) -> None:
    with lakekey.psycopg.pool(client=lakebase.client(), min_size=1, max_size=1) as pool:
        with pool.connection():
            with pytest.raises(psycopg_pool.PoolTimeout) as caught, pool.connection(timeout=0.2):
                pass
    assert not isinstance(caught.value, lakekey.LakekeyError)
    assert lakekey.explain(caught.value).kind == "unknown"


class Asyncpg(Exception):
    """As asyncpg has them: the SQLSTATE beside the text."""

    def __init__(self, text: str, sqlstate: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class Alchemy(Exception):
    """As SQLAlchemy has them: the driver's error inside, the statement in the text."""

    def __init__(self, text: str, orig: BaseException) -> None:
        super().__init__(text)
        self.orig = orig


ERRORS: list[tuple[BaseException, str]] = [
    (Asyncpg('role "ann" does not exist', "28000"), "role_missing"),
    (Asyncpg("irgendetwas anderes", "3D000"), "database_missing"),
    (Alchemy("[SQL: SELECT 'Connection refused']", Asyncpg("sorry, too many clients already", "53300")), "too_many_connections"),
    (Alchemy("[SQL: SELECT 'Connection refused']", Asyncpg("syntax error", "42601")), "unknown"),
    (socket.gaierror(-2, "Name or service not known"), "dns"),
    (ssl.SSLCertVerificationError(1, "certificate verify failed: Hostname mismatch"), "tls"),
    (ConnectionResetError(104, "Connection reset by peer"), "server_gone"),
    (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"), "tcp"),
    (TimeoutError(), "tcp"),
    (Exception({"S": "FATAL", "C": "57P03", "M": "the database system is starting up"}), "endpoint_waking"),
    (lakekey.TargetError("off", slug="ENDPOINT_DISABLED", code=1205), "endpoint_disabled"),
    (lakekey.AuthError("no", slug="AUTH_DENIED", code=1102, hint="log in"), "unknown"),
    (ValueError("nothing of the kind"), "unknown"),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=[f"{type(row[0]).__name__}-{row[1]}" for row in ERRORS])
def test_errors_of_every_driver_are_explained(error: BaseException, kind: str) -> None:
    assert lakekey.explain(error).kind == kind
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("while opening the shop") from inner
    except RuntimeError as outer:
        assert lakekey.explain(outer).kind == kind


def test_a_text_is_explained_as_a_drivers() -> None:
    line = 'connection to server at "10.0.0.1", port 5432 failed: FATAL:  database "shop" does not exist'
    assert lakekey.explain(line).kind == "database_missing"


def test_what_happened_is_counted(lakebase: Lakebase) -> None:
    client = lakebase.client()
    before = client.stats()
    connected(client=client)
    for _ in range(10):
        client.token()
    with pytest.raises(lakekey.psycopg.LoginRefused):
        connected(client=client, dbname="nope")
    stats = client.stats()

    def more(name: str) -> int:
        return int(stats[name] - before[name])

    assert (more("mints"), more("logins")) == (1, 1)
    assert more("login_attempts") == 2 and more("cache_hits") >= 10 and more("waits") >= 1
    kinds = stats["login_failures"]
    assert kinds["database_missing"] - before["login_failures"].get("database_missing", 0) == 1
    shown = stats["histograms"]["mint_ms"]
    assert len(shown["counts"]) == len(shown["bounds"]) + 1 and shown["count"] == sum(shown["counts"])
    assert isinstance(stats["clock_skew_ms"], int)
    assert any("minted a credential" in event for event in client.recent_events())


def test_a_clock_that_is_an_hour_late_is_learnt_and_costs_no_login(lakebase: Lakebase) -> None:
    lakebase.emulator.admin("POST", "/clock", {"advance_s": 3600})
    client = lakebase.client()
    connected(client=client)
    until(lambda: 3_500_000 < client.stats()["clock_skew_ms"] < 3_700_000)


OBSERVED = """
import os, lakekey.psycopg
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
with lakekey.psycopg.pool(min_size=1) as pool, pool.connection() as conn:
    conn.execute("SELECT 1")
# A client that is over is not asked any more.
with lakekey.Client() as client, lakekey.psycopg.pool(client=client, min_size=0, max_size=1):
    pass
try:
    lakekey.psycopg.connect(dbname="nope")
except lakekey.psycopg.LoginRefused:
    pass
shown = reader.get_metrics_data().to_json()
found = {
    metric.name: {tuple(point.attributes.items()): point.value for point in metric.data.data_points}
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
}
assert found["lakekey.credential.mints"] == {(): 1}, found
assert found["lakekey.logins"] == {(): 1}, found
assert found["lakekey.login.failures"] == {(("lakekey.login.kind", "database_missing"),): 1}, found
assert {"lakekey.login.time", "lakekey.credential.age"} <= set(found)
for secret in (os.environ["DATABRICKS_TOKEN"], os.environ["PGUSER"], os.environ["PGHOST"], "eyJ"):
    assert secret not in shown, secret
"""

ALONE = """
import sys
sys.modules["opentelemetry"] = None
import lakekey.psycopg
with lakekey.psycopg.pool(min_size=1) as pool, pool.connection() as conn:
    conn.execute("SELECT 1")
"""


def test_counts_go_to_whoever_collects_through_opentelemetry(lakebase: Lakebase) -> None:
    lakebase.python(OBSERVED)
    lakebase.python(ALONE)


def test_closing_a_pool_ends_its_connects(lakebase: Lakebase) -> None:
    refuse_at_the_door(lakebase)
    client = lakebase.client()
    pool = lakekey.psycopg.pool(client=client, min_size=2)
    until(lambda: lakebase.counters()["logins_refused"] > 2)
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 4, "psycopg_pool itself waits for five seconds"
