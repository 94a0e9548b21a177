"""``Client.as_user``: an app's users, each on their own forwarded token."""

from __future__ import annotations

import base64
import json
import os
import time

import pytest

import lakekey
from lakebase import TARGET, Lakebase

APP = {"client_id": "00000000-0000-4000-8000-000000000001", "client_secret": "emulator-secret"}


def app_of(lakebase: Lakebase) -> lakekey.Client:
    return lakekey.Client(target=TARGET, host=lakebase.env["DATABRICKS_HOST"], auth_type="oauth-m2m", **APP)


def test_a_user_is_the_user_and_the_app_stays_the_app(lakebase: Lakebase) -> None:
    app = app_of(lakebase)
    user = app.as_user(lakebase.env["DATABRICKS_TOKEN"])
    assert isinstance(user, lakekey.Client)
    assert user.credential().subject == lakebase.env["PGUSER"]
    assert app.credential().subject == APP["client_id"]
    again = app.as_user(lakebase.env["DATABRICKS_TOKEN"])
    assert again.token() == user.token() != app.token()


def test_a_refused_user_never_becomes_the_app(lakebase: Lakebase) -> None:
    app = app_of(lakebase)
    app.token()
    with pytest.raises(lakekey.LakekeyError) as refused:
        app.as_user("dapi-planted").token()
    assert refused.value.slug in ("AUTH_DENIED", "API_PERMISSION_DENIED")
    assert "planted" not in f"{refused.value!r} {refused.value}"


def test_a_token_that_has_ended_is_refused_with_a_hint(lakebase: Lakebase) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) - 5}).encode()).decode().rstrip("=")
    with pytest.raises(lakekey.LakekeyError) as ended:
        app_of(lakebase).as_user(f"e30.{claims}.planted")
    assert ended.value.slug == "AUTH_DENIED"
    assert "current request" in str(ended.value.hint)


def test_a_forked_child_keeps_its_users_apart(lakebase: Lakebase) -> None:
    app = app_of(lakebase)
    user = app.as_user(lakebase.env["DATABRICKS_TOKEN"])
    before = user.token()
    pid = os.fork()
    if pid == 0:
        same = user.token() == before and user.credential().subject == lakebase.env["PGUSER"]
        apart = app.credential().subject == APP["client_id"]
        os._exit(0 if same and apart else 1)
    assert os.waitpid(pid, 0)[1] == 0
