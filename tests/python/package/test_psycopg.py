"""``lakekey.psycopg``: psycopg's own connections and pools, each login with a current token."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import traceback
import weakref
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import dict_row

import lakekey
import lakekey.psycopg
from lakebase import TARGET, Lakebase, until

GROUP = "data engineers"


def refuse_all_tokens(lakebase: Lakebase) -> None:
    """Every token minted so far is refused from now on."""
    lakebase.tokens(rotate_key=True)


def test_connections_and_pools_are_psycopgs_own(lakebase: Lakebase) -> None:
    client = lakebase.client()
    with lakekey.psycopg.connect(client=client, autocommit=True, row_factory=dict_row) as conn:
        assert type(conn) is psycopg.Connection and conn.autocommit
        row = conn.execute("SELECT current_user AS me").fetchone()
        assert row["me"] == client.credential().subject and conn.pgconn.ssl_in_use
    with lakekey.psycopg.pool(client=client, min_size=1, max_size=2, application_name="mine") as pool:
        assert isinstance(pool, psycopg_pool.ConnectionPool)
        assert (pool.min_size, pool.max_size, pool.max_lifetime) == (1, 2, 2700)
        with pool.connection() as conn:
            assert type(conn) is psycopg.Connection
            assert conn.execute("SHOW application_name").fetchone() == ("mine",)
    assert lakebase.mints() == 1


async def test_async_connections_and_pools_are_psycopgs_own(lakebase: Lakebase) -> None:
    client = lakebase.client()
    async with await lakekey.psycopg.aconnect(client=client, autocommit=True) as conn:
        assert type(conn) is psycopg.AsyncConnection and conn.autocommit
    pool = lakekey.psycopg.async_pool(client=client, min_size=1)
    assert isinstance(pool, psycopg_pool.AsyncConnectionPool) and pool.closed and pool.max_lifetime == 2700
    async with pool, pool.connection() as conn:
        assert type(conn) is psycopg.AsyncConnection
        assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
    assert lakebase.mints() == 1


def test_the_users_own_connection_class_and_kwargs_are_used(lakebase: Lakebase) -> None:
    class Mine(psycopg.Connection[Any]):
        pass

    pool = lakekey.psycopg.pool(
        client=lakebase.client(), connection_class=Mine, kwargs={"autocommit": True}, row_factory=dict_row, min_size=1
    )
    with pool, pool.connection() as conn:
        assert isinstance(conn, Mine) and conn.autocommit
        assert conn.execute("SELECT 1 AS one").fetchone() == {"one": 1}


@pytest.mark.parametrize("name", ["password", "passfile", "conninfo", "host", "service"])
def test_what_lakekey_decides_cannot_be_given(lakebase: Lakebase, name: str) -> None:
    client = lakebase.client()
    for make in (lakekey.psycopg.connect, lakekey.psycopg.pool, lakekey.psycopg.async_pool):
        with pytest.raises(TypeError, match=name) as caught:
            make(client=client, **{name: "planted-secret"})
        assert "planted-secret" not in str(caught.value)


def test_a_pool_keeps_working_through_rotations(lakebase: Lakebase) -> None:
    lakebase.tokens(ttl_s=2)
    client = lakebase.client()
    seen, failures = set(), []
    end = time.monotonic() + 9
    with lakekey.psycopg.pool(client=client, min_size=2, max_size=4, max_lifetime=0.3) as pool:

        def work() -> None:
            while time.monotonic() < end:
                try:
                    with pool.connection() as conn:
                        conn.execute("SELECT pg_sleep(0.02)")
                    seen.add(client.token())
                except Exception as error:
                    failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counters = lakebase.counters()
    assert not failures, failures[:3]
    assert counters["logins_refused"] == 0
    assert counters["logins_accepted"] > 20
    assert len(seen) >= 4
    assert counters["mints"] <= len(seen) + 1


async def test_an_async_pool_keeps_working_through_rotations(lakebase: Lakebase) -> None:
    import asyncio

    lakebase.tokens(ttl_s=2)
    client = lakebase.client()
    seen = set()
    end = time.monotonic() + 6
    async with lakekey.psycopg.async_pool(client=client, min_size=2, max_size=4, max_lifetime=0.3) as pool:

        async def work() -> None:
            while time.monotonic() < end:
                async with pool.connection() as conn:
                    await conn.execute("SELECT pg_sleep(0.02)")
                seen.add(await client.atoken())

        await asyncio.gather(*(work() for _ in range(4)))
    assert len(seen) >= 3
    assert lakebase.counters()["logins_refused"] == 0


def test_a_refused_token_from_the_cache_earns_one_mint_and_one_reconnect(lakebase: Lakebase) -> None:
    client = lakebase.client()
    client.token()
    refuse_all_tokens(lakebase)
    with lakekey.psycopg.connect(client=client) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    counters = lakebase.counters()
    assert (counters["mints"], counters["logins_refused"], counters["logins_accepted"]) == (2, 1, 1)


async def test_a_refused_token_from_the_cache_earns_one_mint_and_one_reconnect_async(lakebase: Lakebase) -> None:
    client = lakebase.client()
    await client.atoken()
    refuse_all_tokens(lakebase)
    async with await lakekey.psycopg.aconnect(client=client) as conn:
        await conn.execute("SELECT 1")
    counters = lakebase.counters()
    assert (counters["mints"], counters["logins_refused"], counters["logins_accepted"]) == (2, 1, 1)


def test_a_pool_that_is_refused_as_a_whole_mints_once(lakebase: Lakebase) -> None:
    client = lakebase.client()
    client.token()
    refuse_all_tokens(lakebase)
    with lakekey.psycopg.pool(client=client, min_size=8, max_size=8, num_workers=8) as pool:
        pool.wait(30)
    counters = lakebase.counters()
    assert counters["mints"] == 2
    assert counters["logins_accepted"] == 8 and counters["logins_refused"] <= 8


def test_a_token_minted_for_this_login_is_not_tried_twice(lakebase: Lakebase) -> None:
    lakebase.tokens(wrong_audience=True)
    with pytest.raises(lakekey.psycopg.LoginRefused) as caught:
        lakekey.psycopg.connect(client=lakebase.client())
    counters = lakebase.counters()
    assert (counters["mints"], counters["logins_refused"]) == (1, 1)
    assert isinstance(caught.value, psycopg.OperationalError) and isinstance(caught.value, lakekey.LoginError)
    assert caught.value.slug == "LOGIN_REFUSED"
    assert "Invalid authorization" in str(caught.value) and caught.value.sqlstate is None, "not Postgres's own text"
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)


def test_a_server_that_refuses_every_token_is_not_asked_again_and_again(lakebase: Lakebase) -> None:
    client = lakebase.client()
    client.token()
    lakebase.tokens(wrong_audience=True, rotate_key=True)
    for _ in range(5):
        with pytest.raises(lakekey.psycopg.LoginRefused):
            lakekey.psycopg.connect(client=client)
    counters = lakebase.counters()
    assert counters["mints"] == 2, "one fresh mint, then a pause"
    assert counters["logins_refused"] == 6


def test_another_user_is_named_as_a_group_role_first(lakebase: Lakebase) -> None:
    client = lakebase.client()
    other = "00000000-0000-4000-8000-000000000001"
    with pytest.raises(lakekey.psycopg.LoginRefused) as caught:
        lakekey.psycopg.connect(client=client, user=other)
    assert caught.value.explanation is not None and caught.value.explanation.kind == "wrong_user"
    assert caught.value.hint is not None
    assert "group role" in caught.value.hint
    assert caught.value.sqlstate == ("28P01" if "password authentication failed" in str(caught.value) else None)
    assert other in caught.value.hint and str(client.credential().subject) in caught.value.hint


def test_what_is_no_matter_of_the_token_costs_no_other_token(lakebase: Lakebase) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        lakekey.psycopg.connect(client=lakebase.client(), dbname="no_such_database")
    assert isinstance(caught.value, lakekey.psycopg.LoginRefused)
    assert caught.value.explanation is not None and caught.value.explanation.kind == "database_missing"
    assert lakebase.counters()["mints"] == 1


def test_a_connection_killed_on_the_server_never_reaches_the_user(lakebase: Lakebase) -> None:
    with lakekey.psycopg.pool(client=lakebase.client(), min_size=2, max_size=2) as pool:
        pool.wait(30)
        lakebase.emulator.admin("POST", "/connections/kill", {"how": "57P01"})
        for _ in range(4):
            with pool.connection() as conn:
                conn.execute("SELECT 1")


def test_making_a_pool_starts_the_mint_at_once(lakebase: Lakebase) -> None:
    pool = lakekey.psycopg.pool(client=lakebase.client(), min_size=1, open=False)
    until(lambda: lakebase.mints() == 1)
    pool.close()


def test_a_pool_prepares_the_login_that_it_will_make(lakebase: Lakebase) -> None:
    client = lakebase.client()
    me = client.credential().subject
    options: list[dict[str, Any]] = [{"ttl": 600, "user": me}, {"ttl": 600, "kwargs": {"user": me}}]
    for given in options:
        with lakekey.psycopg.pool(client=lakebase.client(), min_size=1, **given) as pool:
            pool.wait(30)
    assert lakebase.mints() == 1 + len(options)


def test_a_refused_login_leaves_no_password_in_frames_and_no_cycle(lakebase: Lakebase) -> None:
    lakebase.tokens(wrong_audience=True)
    client = lakebase.client()
    password = client.token()
    gc.collect()
    gc.disable()
    try:
        for given in ({}, {"hostaddr": "127.255.255.254,127.255.255.253"}):
            try:
                lakekey.psycopg.connect(client=client, ttl=None, timeout=1, **given)
            except psycopg.OperationalError as error:
                below = error.__traceback__.tb_next if error.__traceback__ else None  # This frame knows the password.
                told = traceback.TracebackException(type(error), error, below, capture_locals=True)
                shown = "".join(told.format())
                gone = weakref.ref(error)
                del below, told
            assert password not in shown and "psycopg.py" in shown
            assert gone() is None, "something keeps the error"
    finally:
        gc.enable()


def test_a_pool_for_an_unreachable_workspace_is_made_at_once_and_fails_in_time(nobody: str) -> None:
    started = time.monotonic()
    client = lakekey.Client(target=TARGET, host=nobody, token="dapi1", timeout=2)
    pool = lakekey.psycopg.pool(client=client, min_size=1, timeout=3)
    assert time.monotonic() - started < 1
    with pytest.raises(psycopg_pool.PoolTimeout), pool.connection():
        pass
    pool.close()
    with pytest.raises(lakekey.LakekeyError) as caught:
        lakekey.psycopg.connect(client=client)
    assert nobody.removeprefix("http://") in str(caught.value)
    assert time.monotonic() - started < 12


def test_all_addresses_are_dialled_in_turn(lakebase: Lakebase) -> None:
    client = lakebase.client()
    params = client.connect_params()
    with lakekey.psycopg.connect(client=client, hostaddr=f"127.255.255.254,{params['hostaddr'].split(',')[0]}") as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError) as caught:
        lakekey.psycopg.connect(client=client, hostaddr="127.255.255.254,127.255.255.253", timeout=1)
    assert "127.255.255.254" in str(caught.value) and "127.255.255.253" in str(caught.value)
    last = caught.value.__cause__
    assert isinstance(last, psycopg.OperationalError) and "127.255.255.253" in str(last)
    assert caught.value.pgconn is last.pgconn is not None
    assert "127.255.255.254" in str(last.__context__)


def test_the_server_is_verified_by_name(lakebase: Lakebase, tmp_path: Path) -> None:
    client = lakebase.client()
    assert client.connect_params()["sslmode"] == "verify-full"
    empty = tmp_path / "none.pem"
    empty.write_text("")
    with pytest.raises(psycopg.OperationalError, match="certificate|root"):
        lakekey.psycopg.connect(client=client, sslrootcert=str(empty))


OLDER = """
import os, psycopg_pool, lakekey.psycopg, asyncio
assert psycopg_pool.__version__.startswith("3.2"), psycopg_pool.__version__
with lakekey.psycopg.pool(min_size=1) as pool, pool.connection() as conn:
    assert conn.execute("SELECT 1").fetchone() == (1,)
async def main():
    async with lakekey.psycopg.async_pool(min_size=1) as pool, pool.connection() as conn:
        await conn.execute("SELECT 1")
asyncio.run(main())
"""


def test_psycopg_pool_3_2_works_too(lakebase: Lakebase) -> None:
    older = Path(sys.prefix).parent / "psycopg-pool-3.2"
    if not older.is_dir():
        pytest.skip("psycopg_pool 3.2 is not installed; `cargo xtask test python` installs it")
    lakebase.python(OLDER, PYTHONPATH=str(older))


EXAMPLE = Path(__file__).parents[3] / "examples" / "python-psycopg" / "notes.py"


def test_the_example_runs(lakebase: Lakebase) -> None:
    environment = lakebase.emulator.environment()

    def notes(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    notes("migrate")
    notes("migrate")
    number = notes("add", "buy milk").split()[-1]
    assert "buy milk" in notes("list")
    notes("done", number)
    assert "buy milk" not in notes("list")
