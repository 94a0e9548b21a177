"""All of the unmodified SDK's `w.postgres`: every write with `.wait()`, masks, pages, and the SDK's own error classes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.common.lro import LroOptions
from databricks.sdk.common.types.fieldmask import FieldMask
from databricks.sdk.errors import (
    Aborted,
    AlreadyExists,
    BadRequest,
    InternalError,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
    ResourceDoesNotExist,
)
from databricks.sdk.service import iam
from databricks.sdk.service import postgres as api
from google.protobuf.duration_pb2 import Duration

from emulator import Emulator

PROJECT = "projects/emulator"
BRANCH = f"{PROJECT}/branches/production"
OWNER = f"{BRANCH}/roles/user-emulator-test"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One of its own: these tests leave a lot behind, and hold its projects busy."""
    with Emulator("--parent-pid", str(os.getpid())) as running:
        yield running


@pytest.fixture
def w(emulator: Emulator) -> WorkspaceClient:
    return WorkspaceClient(
        host=emulator.env["DATABRICKS_HOST"], token=emulator.env["DATABRICKS_TOKEN"], auth_type="pat"
    )


def conninfo(emulator: Emulator) -> dict[str, str]:
    env = emulator.env
    names = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER"}
    return {key: env[name] for key, name in names.items()} | {
        "sslmode": "verify-full",
        "sslrootcert": env["PGSSLROOTCERT"],
    }


def forever() -> api.Branch:
    return api.Branch(spec=api.BranchSpec(no_expiry=True))


def test_projects(w: WorkspaceClient) -> None:
    spec = api.ProjectSpec(display_name="Shop", custom_tags=[api.ProjectCustomTag(key="team", value="a")])
    made = w.postgres.create_project(project=api.Project(spec=spec), project_id="shop").wait()
    assert (made.name, made.status.display_name, made.status.pg_version) == ("projects/shop", "Shop", 17)
    assert made.status.history_retention_duration.seconds == 604800
    assert made.status.custom_tags[0].value == "a"
    with pytest.raises(AlreadyExists):
        w.postgres.create_project(project=api.Project(), project_id="shop")
    changed = w.postgres.update_project(
        name="projects/shop",
        project=api.Project(spec=api.ProjectSpec(display_name="Mall", enable_pg_native_login=True)),
        update_mask=FieldMask(["spec.display_name"]),
    ).wait()
    assert (changed.status.display_name, changed.status.enable_pg_native_login) == ("Mall", None)
    w.postgres.delete_project(name="projects/shop").wait()
    assert [project.name for project in w.postgres.list_projects()] == [PROJECT]
    everything = list(w.postgres.list_projects(show_deleted=True, page_size=1))
    assert [project.name for project in everything] == [PROJECT, "projects/shop"]
    w.postgres.undelete_project(name="projects/shop").wait()
    assert w.postgres.get_project(name="projects/shop").delete_time is None
    w.postgres.delete_project(name="projects/shop", purge=True).wait()
    with pytest.raises(NotFound, match="project id not found"):
        w.postgres.get_project(name="projects/shop")


def test_branches_and_endpoints(w: WorkspaceClient, emulator: Emulator) -> None:
    token = w.postgres.generate_database_credential(endpoint=emulator.env["LAKEBASE_ENDPOINT"]).token
    with psycopg.connect(password=token, autocommit=True, **conninfo(emulator)) as parent:
        parent.execute("CREATE TABLE kept AS SELECT 'before' AS text")
        branch = api.Branch(spec=api.BranchSpec(source_branch=BRANCH, ttl=Duration(seconds=3600)))
        made = w.postgres.create_branch(parent=PROJECT, branch=branch, branch_id="dev").wait()
        parent.execute("INSERT INTO kept VALUES ('after')")
    assert made.status.current_state == api.BranchStatusState.READY
    assert made.status.source_branch == BRANCH and made.status.expire_time is not None
    dev = w.postgres.get_endpoint(name=f"{made.name}/endpoints/primary")
    token = w.postgres.generate_database_credential(endpoint=dev.name).token
    elsewhere = conninfo(emulator) | {"host": dev.status.hosts.host}
    with psycopg.connect(password=token, **elsewhere) as child:
        assert child.execute("SELECT text FROM kept").fetchall() == [("before",)]
    kept = w.postgres.update_branch(
        name=made.name, branch=forever(), update_mask=FieldMask(["spec.expiration"])
    ).wait()
    assert kept.status.expire_time is None
    endpoint = api.Endpoint(spec=api.EndpointSpec(endpoint_type=api.EndpointType.ENDPOINT_TYPE_READ_ONLY))
    ro = w.postgres.create_endpoint(parent=made.name, endpoint=endpoint, endpoint_id="ro").wait()
    assert ro.status.hosts.read_only_host == ro.status.hosts.host
    endpoint.spec.suspend_timeout_duration = Duration(seconds=600)
    ro = w.postgres.update_endpoint(
        name=ro.name, endpoint=endpoint, update_mask=FieldMask(["spec.suspension"])
    ).wait()
    assert ro.status.suspend_timeout_duration.seconds == 600
    assert len(list(w.postgres.list_endpoints(parent=made.name, page_size=1))) == 2
    w.postgres.delete_endpoint(name=ro.name).wait()
    w.postgres.delete_branch(name=made.name).wait()
    assert [branch.name for branch in w.postgres.list_branches(parent=PROJECT)] == [BRANCH]
    w.postgres.undelete_branch(name=made.name).wait()
    w.postgres.delete_branch(name=made.name, purge=True).wait()
    with pytest.raises(BadRequest, match="Cannot delete root branch"):
        w.postgres.delete_branch(name=BRANCH)
    with pytest.raises(BadRequest, match="Read-write endpoints cannot be deleted"):
        w.postgres.delete_endpoint(name=f"{BRANCH}/endpoints/primary")


def test_roles_and_databases(w: WorkspaceClient) -> None:
    spec = api.RoleRoleSpec(postgres_role="app", attributes=api.RoleAttributes(createdb=True))
    role = w.postgres.create_role(parent=BRANCH, role=api.Role(spec=spec), role_id="app").wait()
    assert role.status.auth_method == api.RoleAuthMethod.PG_PASSWORD_SCRAM_SHA_256
    assert role.status.attributes.createdb is True
    assert len(w.postgres.reveal_role_password(name=role.name).password) > 16
    with pytest.raises(InvalidState):
        w.postgres.reveal_role_password(name=OWNER)
    spec = api.RoleRoleSpec(attributes=api.RoleAttributes(createrole=True))
    role = w.postgres.update_role(
        name=role.name, role=api.Role(spec=spec), update_mask=FieldMask(["spec.attributes.createrole"])
    ).wait()
    assert (role.status.attributes.createdb, role.status.attributes.createrole) == (True, True)
    spec = api.DatabaseDatabaseSpec(role=role.name, postgres_database="shop")
    database = w.postgres.create_database(
        parent=BRANCH, database=api.Database(spec=spec), database_id="shop"
    ).wait()
    assert database.status.postgres_database == "shop"
    spec = api.DatabaseDatabaseSpec(role=OWNER)
    database = w.postgres.update_database(
        name=database.name, database=api.Database(spec=spec), update_mask=FieldMask(["spec.role"])
    ).wait()
    assert database.status.role == OWNER
    assert "shop" in [each.database_id for each in w.postgres.list_databases(parent=BRANCH, page_size=1)]
    assert "app" in [each.role_id for each in w.postgres.list_roles(parent=BRANCH, page_size=1)]
    assert w.postgres.get_database(name=database.name).status.postgres_database == "shop"
    w.postgres.delete_database(name=database.name).wait()
    w.postgres.delete_role(name=role.name, reassign_owned_to=OWNER).wait()
    with pytest.raises(NotFound, match='role not found; role_id:"app"'):
        w.postgres.get_role(name=role.name)
    with pytest.raises(InvalidParameterValue, match="database.spec.role"):
        w.postgres.create_database(parent=BRANCH, database=api.Database(), database_id="x")


def test_snapshots(w: WorkspaceClient) -> None:
    spec = api.SnapshotSpec(source_branch=BRANCH)
    made = w.postgres.create_snapshot(
        parent=PROJECT, snapshot=api.Snapshot(spec=spec), snapshot_id="s1"
    ).wait()
    assert made.status.full_size_bytes > 1_000_000
    assert [each.name for each in w.postgres.list_snapshots(parent=PROJECT)] == [made.name]
    assert w.postgres.get_snapshot(name=made.name).uid == made.uid
    schedule = w.postgres.get_snapshot_schedule(name=f"{BRANCH}/snapshot-schedule")
    assert not schedule.schedule
    cadence = api.ScheduleCadence(retention=Duration(seconds=7200), daily_schedule=api.DailySchedule(hour=3))
    schedule = w.postgres.update_snapshot_schedule(
        name=f"{BRANCH}/snapshot-schedule",
        snapshot_schedule=api.SnapshotSchedule(schedule=[cadence]),
        update_mask=FieldMask(["schedule"]),
    ).wait()
    assert schedule.schedule[0].daily_schedule.hour == 3
    w.postgres.delete_snapshot(name=made.name).wait()


def test_the_data_api_and_change_feeds(w: WorkspaceClient) -> None:
    database = f"{BRANCH}/databases/databricks-postgres"
    made = w.postgres.create_data_api(parent=database, data_api=api.DataApi()).wait()
    assert made.status.db_schemas == ["public"]
    spec = api.DataApiDataApiSpec(db_max_rows=5)
    changed = w.postgres.update_data_api(
        name=made.name, data_api=api.DataApi(spec=spec), update_mask=FieldMask(["spec.db_max_rows"])
    ).wait()
    assert changed.status.db_max_rows == w.postgres.get_data_api(name=made.name).status.db_max_rows == 5
    w.postgres.delete_data_api(name=made.name).wait()
    config = api.CdfConfig(catalog="main", schema="out", postgres_schema="public")
    config = w.postgres.create_cdf_config(parent=database, cdf_config=config).wait()
    assert [each.name for each in w.postgres.list_cdf_configs(parent=database)] == [config.name]
    assert w.postgres.get_cdf_config(name=config.name).catalog == "main"
    assert list(w.postgres.list_cdf_statuses(parent=config.name)) == []
    with pytest.raises(NotFound):
        w.postgres.get_cdf_status(name=f"{config.name}/cdf-statuses/t")
    w.postgres.delete_cdf_config(name=config.name, force=True).wait()


def test_catalogs_and_synced_tables(w: WorkspaceClient, emulator: Emulator) -> None:
    spec = api.CatalogCatalogSpec(postgres_database="mall", branch=BRANCH, create_database_if_missing=True)
    catalog = w.postgres.create_catalog(catalog=api.Catalog(spec=spec), catalog_id="mall").wait()
    assert w.postgres.get_catalog(name=catalog.name).status.postgres_database == "mall"
    emulator.admin("POST", "/sources", {
        "name": "main.sales.orders",
        "columns": [{"name": "id", "type": "BIGINT", "nullable": False}, {"name": "note", "type": "STRING"}],
        "rows": [[1, "one"], [2, "two"]],
    })
    spec = api.SyncedTableSyncedTableSpec(
        source_table_full_name="main.sales.orders",
        primary_key_columns=["id"],
        scheduling_policy=api.SyncedTableSyncedTableSpecSyncedTableSchedulingPolicy.SNAPSHOT,
    )
    table = w.postgres.create_synced_table(
        synced_table=api.SyncedTable(spec=spec), synced_table_id="mall.public.orders"
    ).wait()
    assert table.status.detailed_state == api.SyncedTableState.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE
    token = w.postgres.generate_database_credential(endpoint=emulator.env["LAKEBASE_ENDPOINT"]).token
    with psycopg.connect(password=token, **conninfo(emulator) | {"dbname": "mall"}) as connection:
        rows = connection.execute("SELECT id, note FROM public.orders ORDER BY id").fetchall()
    assert rows == [(1, "one"), (2, "two")]
    assert w.postgres.get_synced_table(name=table.name).status.last_processed_commit_version == 0
    w.postgres.delete_synced_table(name=table.name).wait()
    w.postgres.delete_catalog(name=catalog.name).wait()


def test_permissions(w: WorkspaceClient) -> None:
    entry = iam.AccessControlRequest(user_name="stranger@emulator.test", permission_level=iam.PermissionLevel.CAN_USE)
    granted = w.permissions.update("database-projects", "emulator", access_control_list=[entry])
    assert "stranger@emulator.test" in [each.user_name for each in granted.access_control_list]
    assert w.permissions.get("database-projects", "emulator").object_type == "database-projects"
    with pytest.raises(ResourceDoesNotExist):
        w.permissions.get("database-projects", "none")


def test_masks_are_told_apart_by_the_sdks_own_errors(w: WorkspaceClient) -> None:
    for mask, words in {
        "spec.ttl": "Unknown field path in update_mask: 'spec.ttl'",
        "spec.is_protected": "Field 'spec.is_protected' is in update_mask but not provided in request",
        "spec.source_branch": "immutable",
    }.items():
        with pytest.raises(InvalidParameterValue, match=words):
            w.postgres.update_branch(name=BRANCH, branch=forever(), update_mask=FieldMask([mask]))


def test_an_operation_in_flight_bars_others_and_a_failed_one_is_an_exception(
    w: WorkspaceClient, emulator: Emulator
) -> None:
    emulator.admin("POST", "/operations", {"delay_s": 3600})
    try:
        begun = w.postgres.create_branch(parent=PROJECT, branch=forever(), branch_id="slow")
        with pytest.raises(Aborted, match="conflicting operations in progress"):
            w.postgres.create_branch(parent=PROJECT, branch=forever(), branch_id="other")
        with pytest.raises(TimeoutError):
            begun.wait(LroOptions(timeout=timedelta(seconds=1)))
        assert w.postgres.get_operation(name=begun.name()).done is None
        emulator.admin("POST", "/clock", {"advance_s": 3600})
        assert begun.wait().status.current_state == api.BranchStatusState.READY
    finally:
        emulator.admin("POST", "/operations", {"delay_s": 0})
    fault = {"match": {"method": "DELETE"}, "times": 1}
    action = {"kind": "fail_operation", "error_code": "BAD_REQUEST", "message": "not today"}
    emulator.admin("POST", "/faults", fault | {"action": action})
    with pytest.raises(Exception, match=r"operation failed: .*BAD_REQUEST.* not today"):
        w.postgres.delete_branch(name=f"{PROJECT}/branches/slow").wait()
    emulator.admin("POST", "/faults", fault | {"action": {"kind": "empty_operation"}})
    with pytest.raises(Exception, match="no response available"):
        w.postgres.delete_branch(name=f"{PROJECT}/branches/slow").wait()


def test_every_status_is_the_sdks_own_class(w: WorkspaceClient, emulator: Emulator) -> None:
    settings = api.ProjectDefaultEndpointSettings(
        autoscaling_limit_min_cu=1, autoscaling_limit_max_cu=2, suspend_timeout_duration=Duration(seconds=300)
    )
    w.postgres.update_project(
        name=PROJECT,
        project=api.Project(spec=api.ProjectSpec(default_endpoint_settings=settings)),
        update_mask=FieldMask(["spec.default_endpoint_settings"]),
    ).wait()
    # The service's own flaw: the name is changed before it breaks.
    half = api.Project(spec=api.ProjectSpec(display_name="half"))
    with pytest.raises(InternalError):
        w.postgres.update_project(name=PROJECT, project=half, update_mask=FieldMask(["spec"]))
    assert w.postgres.get_project(name=PROJECT).status.display_name == "half"
    stranger = WorkspaceClient(
        host=emulator.env["DATABRICKS_HOST"], token="dapi-emulator-stranger", auth_type="pat"
    )
    with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
        stranger.postgres.create_branch(parent=PROJECT, branch=forever(), branch_id="mine")
