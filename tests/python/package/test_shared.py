"""Shared credentials: the worker processes of one user on one host mint once, and start while the workspace is away."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakekey
from lakebase import TARGET, Lakebase, run_python, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="credentials are shared where files have Unix permissions")

BRANCH = "projects/emulator/branches/production"
CREDENTIALS = "/api/2.0/postgres/credentials"
#: Says all that it does; waits for the end of its input so that a crowd begins together.
WORKER = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import lakekey
client = lakekey.Client()
sys.stdin.read()
print(client.token())
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "lakekey"


@pytest.fixture
def away(lakebase: Lakebase) -> Iterator[Any]:
    """Puts the workspace into one of its ways of being away."""

    def put(action: dict[str, object] | None) -> None:
        lakebase.clear_faults()
        if action is not None:
            lakebase.fault("/api/*", action)

    yield put
    lakebase.clear_faults()


def environment(lakebase: Lakebase, directory: Path, **changes: str | None) -> dict[str, str]:
    """The emulator's variables without those that save questions to the workspace."""
    named: dict[str, str | None] = {"LAKEKEY_SHARED_CREDENTIALS": str(directory), "PGHOST": None, "PGUSER": None}
    return lakebase.emulator.environment(**{**named, **changes})


def start(lakebase: Lakebase, directory: Path, source: str = WORKER) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source],
        env=environment(lakebase, directory),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        said, log = process.communicate("", timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    assert process.returncode == 0, log
    return said.strip(), log


def kept(directory: Path) -> Path:
    """The file of the one credential."""
    (file,) = [path for path in directory.glob("credential-*") if path.suffix != ".lock"]
    return file


def test_thirty_two_cold_workers_mint_once_and_say_no_secret(lakebase: Lakebase, directory: Path) -> None:
    lakebase.fault(CREDENTIALS, {"kind": "latency", "ms": 1000})
    workers = [start(lakebase, directory) for _ in range(32)]
    said = [finish(worker) for worker in workers]
    assert lakebase.mints() == 1
    (token,) = {token for token, _ in said}
    for _, log in said:
        assert token not in log and lakebase.env["DATABRICKS_TOKEN"] not in log
    assert token in kept(directory).read_text()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert "emulator" not in path.name
        assert lakebase.env["DATABRICKS_TOKEN"] not in path.read_text()


def locked(directory: Path) -> bool:
    for lock in directory.glob("credential-*.lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def test_a_worker_that_is_killed_while_it_mints_leaves_the_mint_to_another(lakebase: Lakebase, directory: Path) -> None:
    lakebase.hang_mints()
    first = start(lakebase, directory)
    assert first.stdin is not None
    first.stdin.close()
    until(lambda: directory.exists() and locked(directory), within=60)
    first.kill()
    first.wait()
    assert not locked(directory), "the system takes the lock from the dead"
    lakebase.clear_faults()
    second, third = finish(start(lakebase, directory)), finish(start(lakebase, directory))
    assert second[0] == third[0]
    assert lakebase.mints() == 1


def test_two_users_of_a_machine_do_not_share(lakebase: Lakebase, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    # Where both may look, as in a temporary directory of the system.
    tmp_path.chmod(0o1777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    directory = tmp_path / "lakekey"
    run_python(
        """
import os, sys
import lakekey
mine = lakekey.Client().token()
# A client of its own identity in this process, so that nothing is inherited. Made once here: the other user may not be
# able to read the modules that the first one imports.
other = lambda **options: lakekey.Client(token_provider=lambda: os.environ["DATABRICKS_TOKEN"], **options)
other(shared_credentials="off").close()
pid = os.fork()
if pid == 0:
    try:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            other(shared_credentials="required:" + sys.argv[1]).token()
            os._exit(3)
        except lakekey.LakekeyError as error:
            assert error.slug == "SHARED_DIRECTORY" and "Permission denied" in str(error), error
            assert mine not in str(error)
        assert other(shared_credentials=sys.argv[1]).token() != mine
        try:
            open([sys.argv[1] + "/" + name for name in os.listdir(sys.argv[1])][0])
            os._exit(4)
        except PermissionError:
            pass
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
""",
        str(directory),
        env=environment(lakebase, directory),
    )
    assert lakebase.mints() == 2


def test_a_refused_token_earns_one_mint_for_all_processes(lakebase: Lakebase, directory: Path) -> None:
    source = """
import sys
import lakekey, lakekey.psycopg
client = lakekey.Client()
first = client.token()
print(first, flush=True)
sys.stdin.read()
with lakekey.psycopg.connect(client=client) as conn:
    conn.execute("select 1")
print(client.token())
"""
    workers = [start(lakebase, directory, source) for _ in range(6)]
    firsts = {worker.stdout.readline().strip() for worker in workers if worker.stdout is not None}
    assert len(firsts) == 1 and lakebase.mints() == 1
    lakebase.tokens(rotate_key=True)
    seconds = {finish(worker)[0] for worker in workers}
    assert len(seconds) == 1 and seconds != firsts
    assert lakebase.mints() == 2


def test_a_directory_that_cannot_be_used_is_an_error_only_for_those_who_require_it(
    lakebase: Lakebase, directory: Path
) -> None:
    directory.mkdir(mode=0o755)
    assert lakebase.client(shared_credentials=str(directory)).token()
    with pytest.raises(lakekey.LakekeyError) as caught:
        lakebase.client(shared_credentials=f"required:{directory}").token()
    assert caught.value.slug == "SHARED_DIRECTORY" and "mode 0755" in str(caught.value)
    with pytest.raises(lakekey.ConfigError):
        lakekey.Client(shared_credentials="somewhere")
    assert not list(directory.iterdir())


#: An app that logs in again and again, for as long as its first argument says, and counts.
APP = """
import sys, time
import lakekey.psycopg
def serve(seconds):
    end = time.monotonic() + seconds
    logins = 0
    with lakekey.psycopg.pool(sys.argv[2], min_size=1, max_size=2, timeout=5) as pool:
        while time.monotonic() < end:
            with pool.connection() as conn:
                assert conn.execute("select 1").fetchone() == (1,)
                conn.close()
            logins += 1
            time.sleep(0.1)
    assert logins >= min(5, seconds)
"""
MOODS: list[dict[str, object]] = [{"kind": "reset"}, {"kind": "status", "status": 503}, {"kind": "hang"}]


def test_thirty_seconds_without_the_workspace_cost_a_worker_that_starts_in_them_nothing(
    lakebase: Lakebase, directory: Path, away: Any
) -> None:
    shared = environment(lakebase, directory)
    inherited = lakebase.emulator.environment(PGHOST=None, PGUSER=None)
    # The target is a branch, which the workspace was asked about by the first process only.
    run_python(APP + "serve(0.5)", "", BRANCH, env=shared)
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            APP
            + """
import os
client = lakekey.Client()
client.connect_params(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        try:
            end = time.monotonic() + 28
            logins = 0
            with lakekey.psycopg.pool(sys.argv[2], client=client, min_size=1, max_size=2, timeout=5) as pool:
                while time.monotonic() < end:
                    with pool.connection() as conn:
                        conn.execute("select 1")
                        conn.close()
                    logins += 1
                    time.sleep(0.1)
            os._exit(0 if logins > 5 else 2)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
""",
            "",
            BRANCH,
        ],
        env=inherited,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
    minted = lakebase.mints()
    assert minted == 2
    away(MOODS[0])
    assert parent.stdin is not None
    parent.stdin.close()
    parent.stdin = None
    for mood in MOODS:
        away(mood)
        began = time.monotonic()
        # Each begins while the workspace is away and has nothing but the files.
        run_python(APP + "serve(float(sys.argv[1]))", "9", BRANCH, env=shared)
        assert time.monotonic() - began < 60
    _, log = parent.communicate(timeout=60)
    assert parent.returncode == 0, log
    assert lakebase.mints() == minted


@pytest.mark.parametrize("mood", MOODS, ids=lambda mood: str(mood["kind"]))
def test_without_a_credential_a_start_without_the_workspace_is_an_error_in_time(
    lakebase: Lakebase, directory: Path, away: Any, mood: dict[str, object]
) -> None:
    away(mood)
    client = lakebase.client(shared_credentials=str(directory), timeout=2)
    began = time.monotonic()
    with pytest.raises(lakekey.LakekeyError) as caught:
        client.connect_params(TARGET)
    assert time.monotonic() - began < 8
    assert caught.value.retryable and caught.value.slug.startswith(("HTTP_", "API_", "CREDENTIAL_", "TIMEOUT"))
