"""``token_provider``: the user's own source of workspace tokens."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

import lakekey
from lakebase import TARGET, Lakebase


def client_of(lakebase: Lakebase, provider: object) -> lakekey.Client:
    return lakekey.Client(target=TARGET, host=lakebase.env["DATABRICKS_HOST"], token_provider=provider)


def pat(lakebase: Lakebase) -> str:
    return lakebase.env["DATABRICKS_TOKEN"]


def test_a_function_or_a_coroutine_function_gives_the_token(lakebase: Lakebase) -> None:
    token = pat(lakebase)
    later = datetime.now(timezone.utc) + timedelta(hours=1)

    async def slowly() -> tuple[str, datetime]:
        await asyncio.sleep(0)
        return token, later

    for provider in (lambda: token, lambda: (token, later), lambda: (token, later.timestamp()), slowly):
        assert client_of(lakebase, provider).token()


def test_an_sdk_config_gives_the_token_and_the_host(lakebase: Lakebase) -> None:
    class Config:
        host = lakebase.env["DATABRICKS_HOST"]

        def authenticate(self) -> dict[str, str]:
            return {"Authorization": f"Bearer {pat(lakebase)}"}

    class WorkspaceClient:
        config = Config()

    for provider in (Config(), WorkspaceClient()):
        assert lakekey.Client(target=TARGET, token_provider=provider).token()


def test_the_providers_own_exception_is_the_cause(nobody: str) -> None:
    class Mine(Exception):
        pass

    mine = Mine("planted-secret")

    def provider() -> str:
        raise mine

    client = lakekey.Client(target=TARGET, host=nobody, token_provider=provider)
    with pytest.raises(lakekey.AuthError) as caught:
        client.token(timeout=5)
    assert caught.value.slug == "AUTH_CALLBACK"
    assert caught.value.__cause__ is mine
    assert "Mine" in str(caught.value) and "planted-secret" not in str(caught.value)


def test_the_providers_exception_keeps_no_frame_and_says_where(nobody: str) -> None:
    def provider() -> str:
        secret = "planted-secret"
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise ValueError("no token") from error

    client = lakekey.Client(target=TARGET, host=nobody, token_provider=provider)
    with pytest.raises(lakekey.AuthError, match=r"raised ValueError at test_provider\.py:\d+") as caught:
        client.token(timeout=5)
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError) and cause.__traceback__ is None
    assert isinstance(cause.__cause__, KeyError) and cause.__cause__.__traceback__ is None


@pytest.mark.parametrize("nonsense", [None, 7, b"x", "", "a b", ("x", "soon"), ("x", datetime(2030, 1, 1)), ("x", 1)])
def test_nonsense_is_refused_and_not_quoted(nobody: str, nonsense: object) -> None:
    client = lakekey.Client(target=TARGET, host=nobody, token_provider=lambda: nonsense)
    with pytest.raises(lakekey.AuthError) as caught:
        client.token(timeout=5)
    assert caught.value.slug == "AUTH_CALLBACK"
    assert "a b" not in str(caught.value)


def test_something_else_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="token_provider"):
        lakekey.Client(token_provider=object())


def test_a_provider_may_use_lakekey_itself(lakebase: Lakebase) -> None:
    other = lakebase.client()

    def provider() -> str:
        assert other.token()
        return pat(lakebase)

    assert client_of(lakebase, provider).token()


def test_a_hanging_provider_costs_its_caller_the_budget_and_no_more(nobody: str) -> None:
    release = threading.Event()

    def provider() -> str:
        release.wait(60)
        return "late"

    client = lakekey.Client(target=TARGET, host=nobody, token_provider=provider)
    started = time.monotonic()
    try:
        with pytest.raises(lakekey.LakekeyError):
            client.token(timeout=1)
        assert time.monotonic() - started < 3
    finally:
        release.set()
