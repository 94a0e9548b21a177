"""The unmodified Lakebase pools of databricks-ai-bridge. They always dial port 5432 of the endpoint's host, so each
endpoint of this emulator has an address of its own."""

from __future__ import annotations

import pytest
from databricks.sdk import WorkspaceClient
from databricks_ai_bridge.lakebase import AsyncLakebasePool, LakebasePool

from emulator import Emulator

from .conftest import CLIENT_ID, workspace_client

WHOLE = {"project": "emulator", "branch": "production"}


@pytest.fixture(params=["pat", "oauth-m2m"])
def caller(request: pytest.FixtureRequest, by_address: Emulator, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    monkeypatch.setenv("PGSSLROOTCERT", by_address.env["PGSSLROOTCERT"])
    return workspace_client(by_address, request.param)


def role_of(caller: WorkspaceClient, by_address: Emulator) -> str:
    return CLIENT_ID if caller.config.auth_type == "oauth-m2m" else by_address.env["PGUSER"]


@pytest.mark.parametrize("by", ["branch", "endpoint"])
def test_lakebase_pool_runs_queries(caller: WorkspaceClient, by_address: Emulator, by: str) -> None:
    where = WHOLE if by == "branch" else {"autoscaling_endpoint": by_address.env["LAKEBASE_ENDPOINT"]}
    pool = LakebasePool(workspace_client=caller, max_size=4, **where)
    try:
        with pool.connection() as connection:
            row = connection.execute("select current_user as me, 40 + 2 as answer").fetchone()
    finally:
        pool.close()
    assert row == {"me": role_of(caller, by_address), "answer": 42}


async def test_async_lakebase_pool_runs_queries(caller: WorkspaceClient, by_address: Emulator) -> None:
    pool = AsyncLakebasePool(workspace_client=caller, max_size=4, **WHOLE)
    await pool.open()
    try:
        async with pool.connection() as connection:
            cursor = await connection.execute("select current_user as me")
            row = await cursor.fetchone()
    finally:
        await pool.close()
    assert row == {"me": role_of(caller, by_address)}
