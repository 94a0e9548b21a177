"""The unmodified databricks-sdk against the emulator: what it asks, what it makes of the answers, and its documented
psycopg recipe."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from psycopg_pool import ConnectionPool

from emulator import Emulator

BRANCH = "projects/emulator/branches/production"


def test_it_knows_who_it_is(workspace: WorkspaceClient, emulator: Emulator) -> None:
    wanted = {"pat": emulator.env["PGUSER"], "oauth-m2m": workspace.config.client_id}
    assert workspace.current_user.me().user_name == wanted[workspace.config.auth_type]


def test_it_finds_the_endpoint_and_its_host(workspace: WorkspaceClient, emulator: Emulator) -> None:
    name = emulator.env["LAKEBASE_ENDPOINT"]
    endpoint = workspace.postgres.get_endpoint(name=name)
    assert endpoint.name == name
    assert endpoint.status.hosts.host == emulator.env["PGHOST"]
    assert "READ_WRITE" in str(endpoint.status.endpoint_type)
    listed = list(workspace.postgres.list_endpoints(parent=BRANCH))
    assert [each.name for each in listed] == [name]


def test_it_lists_projects_and_branches(workspace: WorkspaceClient) -> None:
    assert "projects/emulator" in [project.name for project in workspace.postgres.list_projects()]
    assert BRANCH in [branch.name for branch in workspace.postgres.list_branches(parent="projects/emulator")]


def test_what_does_not_exist_is_its_own_not_found(workspace: WorkspaceClient) -> None:
    with pytest.raises(NotFound):
        workspace.postgres.get_endpoint(name=f"{BRANCH}/endpoints/nobody")


def test_it_mints_a_token_that_is_a_long_jwt_of_the_caller(workspace: WorkspaceClient, emulator: Emulator) -> None:
    credential = workspace.postgres.generate_database_credential(endpoint=emulator.env["LAKEBASE_ENDPOINT"])
    assert len(credential.token) > 1024
    payload = credential.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == workspace.current_user.me().user_name
    lives = credential.expire_time.ToDatetime(tzinfo=timezone.utc) - datetime.now(timezone.utc)
    assert 3500 < lives.total_seconds() <= 3605


def test_its_documented_psycopg_recipe_logs_in(workspace: WorkspaceClient, emulator: Emulator) -> None:
    endpoint = workspace.postgres.get_endpoint(name=emulator.env["LAKEBASE_ENDPOINT"])
    user = workspace.current_user.me().user_name

    class OAuthConnection(psycopg.Connection):
        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: object) -> psycopg.Connection:
            credential = workspace.postgres.generate_database_credential(endpoint=endpoint.name)
            kwargs["password"] = credential.token
            return super().connect(conninfo, **kwargs)

    conninfo = psycopg.conninfo.make_conninfo(
        host=endpoint.status.hosts.host,
        hostaddr=emulator.env["PGHOSTADDR"],
        port=emulator.env["PGPORT"],
        dbname="databricks_postgres",
        user=user,
        sslmode="verify-full",
        sslrootcert=emulator.env["PGSSLROOTCERT"],
    )
    with ConnectionPool(conninfo, connection_class=OAuthConnection, min_size=1, max_size=4) as pool:
        pool.wait(30)
        with pool.connection() as connection:
            row = connection.execute("select current_user, current_setting('server_version_num')::int / 10000").fetchone()
    assert row == (user, 17)
