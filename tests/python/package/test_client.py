"""The client: what it accepts, what it refuses, and what it says when nobody answers."""

from __future__ import annotations

import logging
import time
import traceback
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

import lakekey
from lakebase import TARGET, Lakebase

PLANTED = "dapi-planted-secret"


def test_an_unreachable_workspace_costs_nothing_until_it_is_needed(nobody: str) -> None:
    started = time.monotonic()
    client = lakekey.Client(target=TARGET, host=nobody, token=PLANTED)
    assert time.monotonic() - started < 0.5
    with pytest.raises(lakekey.LakekeyError) as caught:
        client.token(timeout=2)
    assert time.monotonic() - started < 4
    assert nobody.removeprefix("http://") in str(caught.value), caught.value
    assert caught.value.retryable
    assert "refused" in str(caught.value).lower(), caught.value


def test_a_silent_workspace_ends_the_call_within_its_budget(silent: str) -> None:
    client = lakekey.Client(target=TARGET, host=silent, token=PLANTED, timeout=timedelta(seconds=1))
    started = time.monotonic()
    with pytest.raises(lakekey.LakekeyError) as caught:
        client.token()
    assert 0.5 < time.monotonic() - started < 3
    assert silent.removeprefix("http://") in str(caught.value), caught.value


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(lakekey.ConfigError, match="client_secret"):
        lakekey.Client(client_secert="x")
    client = lakekey.Client(target=TARGET)
    with pytest.raises(TypeError, match="sslmod"):
        client.connect_params(sslmod="require")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        client.token(tll=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("nonsense", [0, -1, float("nan"), float("inf"), 1e12, timedelta(0), timedelta(days=-1)])
def test_durations_that_make_no_sense_are_refused(nonsense: float | timedelta) -> None:
    client = lakekey.Client(target=TARGET, host="http://127.0.0.1:1", token=PLANTED)
    with pytest.raises(ValueError, match="duration"):
        client.token(timeout=nonsense)


def test_a_duration_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        lakekey.Client(timeout="soon")  # type: ignore[arg-type]


def test_a_closed_client_says_so(lakebase: Lakebase) -> None:
    with lakebase.client() as client:
        assert client.token()
    with pytest.raises(lakekey.ClosedError):
        client.token()
    client.close()


def test_a_credential_says_what_it_is_and_hides_the_token(lakebase: Lakebase) -> None:
    client = lakebase.client()
    credential = client.credential()
    now = datetime.now(timezone.utc)
    assert credential.endpoint == TARGET
    assert credential.expires_at.tzinfo is not None
    assert timedelta(minutes=50) < credential.expires_at - now < timedelta(minutes=61)
    assert abs(credential.issued_at - now) < timedelta(minutes=1)
    assert credential.subject and credential.subject in repr(credential)
    assert len(credential.token) > 1000 and credential.token not in repr(credential) + str(credential)
    assert client.token() == credential.token
    assert client.token() is client.token(), "the same string, not a copy"
    with pytest.raises(AttributeError):
        credential.token = "x"  # type: ignore[misc]


def test_the_same_target_again_is_the_same_token_and_another_is_not(lakebase: Lakebase) -> None:
    client = lakebase.client()
    nobodys = "projects/nobody/branches/b/endpoints/e"
    for _ in range(3):
        same = "".join(TARGET)
        token = client.token(same)
        assert client.token(same) is client.token(same) is client.token("".join(list(TARGET))) is client.token()
        with pytest.raises(lakekey.LakekeyError):
            client.token(nobodys)
        assert client.token(same) is token
    client.invalidate(token)
    assert client.token(same) != token
    with pytest.raises(TypeError):
        client.token(b"bytes")  # type: ignore[arg-type]


def test_parameters_are_those_of_libpq(lakebase: Lakebase) -> None:
    client = lakebase.client()
    params = client.connect_params(database="databricks_postgres")
    assert {"host", "hostaddr", "port", "user", "dbname", "sslmode", "password"} <= params.keys()
    assert params["password"] == client.token()
    text = client.conninfo(database="databricks_postgres")
    assert psycopg.conninfo.conninfo_to_dict(text) == {**params, "port": params["port"]}
    with psycopg.connect(text) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_the_functions_of_the_package_use_the_environment(lakebase: Lakebase) -> None:
    done = lakebase.python(
        """
import asyncio, lakekey
token = lakekey.token()
assert lakekey.default_client() is lakekey.default_client()
assert token == lakekey.credential().token == lakekey.connect_params()["password"]
assert token in lakekey.conninfo()
async def main():
    return await lakekey.atoken(), (await lakekey.acredential()).token, (await lakekey.aconnect_params())["password"]
assert set(asyncio.run(main())) == {token}
assert token in asyncio.run(lakekey.aconninfo())
print(len(token))
"""
    )
    assert int(done.stdout) > 1000
    assert lakebase.mints() == 1


@pytest.mark.parametrize("ttl", [0.5, 299.5, timedelta(milliseconds=1500)])
async def test_a_ttl_that_is_no_whole_number_of_seconds_is_refused(nobody: str, ttl: float | timedelta) -> None:
    client = lakekey.Client(target=TARGET, host=nobody, token=PLANTED)
    for ask in (client.token, client.credential, client.connect_params):
        with pytest.raises(lakekey.ConfigError, match="ttl of .* is no whole number of seconds"):
            ask(ttl=ttl)
    with pytest.raises(lakekey.ConfigError, match="ttl"):
        await client.atoken(ttl=ttl)


def test_no_secret_is_shown_anywhere(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    shown = []
    with caplog.at_level(logging.DEBUG):
        for settings in ({"token": PLANTED}, {"client_id": "id", "client_secret": PLANTED}):
            client = lakekey.Client(target=TARGET, host=nobody, **settings)
            shown += [repr(client), str(client)]
            with pytest.raises(lakekey.LakekeyError) as caught:
                client.token(timeout=0.5)
            shown += [str(caught.value), repr(caught.value), repr(vars(caught.value))]
            shown += traceback.format_exception(caught.value)
        with pytest.raises(lakekey.LakekeyError) as caught:
            lakekey.Client(host=f"https://user:{PLANTED}@x y", token="t", target=TARGET).token(timeout=0.5)
        shown.append(str(caught.value))
    assert PLANTED not in "\n".join([*shown, caplog.text])


def test_no_token_is_shown_in_logs_or_parameters(lakebase: Lakebase, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client = lakebase.client()
        connect = client._connect({})
        assert connect.password not in repr(connect)
    assert any(record.name.startswith("lakekey") for record in caplog.records), "nothing was logged at all"
    assert connect.password not in caplog.text
    assert "dapi" not in caplog.text
