"""Forks: a child never hangs, goes on with the token it inherited, and mints when that has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakebase import TARGET, Lakebase, run_python, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

# Run in processes of their own: pytest has threads, and a fork of it would prove little.
HELP = """
import os, signal, sys, threading, time
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of what this is about.
import lakekey

def in_child(check):
    pid = os.fork()
    if pid == 0:
        try:
            check()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, f"the child ended with {status}"
            return
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")
"""


def test_a_child_of_an_idle_parent_uses_its_token_and_mints_the_next(lakebase: Lakebase) -> None:
    lakebase.python(
        HELP
        + """
client = lakekey.Client()
token = client.token()
def check():
    assert client.token() == token
    assert client.connect_params()["password"] == token
    assert client.invalidate(token)
    fresh = client.token()
    assert fresh != token and client.token() == fresh
in_child(check)
assert client.token() == token
"""
    )
    assert lakebase.mints() == 2


def test_children_go_on_with_a_fresh_token_and_replace_an_expired_one(lakebase: Lakebase) -> None:
    lakebase.tokens(ttl_s=3)
    lakebase.python(
        HELP
        + """
client = lakekey.Client()
token = client.token()
def fresh():
    assert client.token() == token
def expired():
    end = time.monotonic() + 20
    while client.token() == token:
        assert time.monotonic() < end
        time.sleep(0.02)
in_child(fresh)
in_child(expired)
"""
    )
    assert lakebase.mints() >= 2


def test_a_child_of_a_parent_that_never_called_works(lakebase: Lakebase) -> None:
    lakebase.python(HELP + "client = lakekey.Client()\nin_child(client.token)\nassert client.token()")
    assert lakebase.mints() == 2


def test_children_of_a_busy_parent_work(lakebase: Lakebase) -> None:
    lakebase.python(
        HELP
        + """
client = lakekey.Client()
stop = threading.Event()
def work():
    while not stop.is_set():
        client.connect_params()
        client.invalidate("not the token")
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
token = client.token()
def check():
    assert client.token() == token
    assert client.connect_params()["password"] == token
try:
    for _ in range(20):
        in_child(check)
finally:
    stop.set()
    [thread.join() for thread in threads]
"""
    )
    assert lakebase.mints() == 1


def test_a_child_forked_in_the_middle_of_a_mint_makes_its_own(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 1500})
    lakebase.python(
        HELP
        + """
client = lakekey.Client()
results = []
thread = threading.Thread(target=lambda: results.append(client.token(timeout=30)))
thread.start()
end = time.monotonic() + 20
while not lakekey._lakekey.has_threads():
    assert time.monotonic() < end
    time.sleep(0.01)
time.sleep(0.3)  # Its request is under way: the answer takes 1.5 s.
in_child(lambda: client.token(timeout=30))
thread.join()
assert results and results[0]
"""
    )
    assert lakebase.mints() == 2


def test_a_child_of_a_parent_that_waits_for_a_silent_workspace_works(silent: str) -> None:
    run_python(
        HELP
        + f"""
client = lakekey.Client(target={TARGET!r}, host={silent!r}, token="dapi1")
def ask():
    try:
        client.token(timeout=0.5)
    except lakekey.LakekeyError as error:
        assert error.slug not in ("INTERNAL", "INTERNAL_PANIC", "CANCELLED"), error
    else:
        raise AssertionError("nobody answers")
def ask_longer():
    try:
        client.token(timeout=5)
    except lakekey.LakekeyError:
        pass
thread = threading.Thread(target=ask_longer)
thread.start()
while not lakekey._lakekey.has_threads():
    time.sleep(0.005)
for _ in range(5):
    in_child(ask)
thread.join()
"""
    )


def test_a_fork_while_the_parents_threads_start_leaves_no_lock_behind(nobody: str) -> None:
    run_python(
        HELP
        + f"""
# At the default level, where records are collected. Each turn a fresh process starts its threads and forks at once.
def ask(client):
    try:
        client.token(timeout=0.05)
    except lakekey.LakekeyError as error:
        assert error.slug not in ("INTERNAL", "INTERNAL_PANIC", "CANCELLED"), error
def lead(spins):
    client = lakekey.Client(target={TARGET!r}, host={nobody!r}, token="dapi1", timeout=0.3)
    client.prepare()
    for _ in range(spins):
        pass
    in_child(lambda: ask(client))
for turn in range(150):
    in_child(lambda: lead(turn * 100))
"""
    )


def test_a_child_renews_what_its_parent_was_renewing(lakebase: Lakebase) -> None:
    lakebase.tokens(ttl_s=4)
    lakebase.python(
        HELP
        + """
client = lakekey.Client()
token = client.token()
def renewed():
    end = time.monotonic() + 20
    while client.token(timeout=10) == token:
        assert time.monotonic() < end, "the child never renews"
        time.sleep(0.02)
time.sleep(1.5)
for _ in range(4):
    client.token()
    in_child(renewed)
"""
    )


def test_multiprocessing_by_fork_shares_the_parents_token(lakebase: Lakebase) -> None:
    lakebase.python(
        """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import lakekey
client = lakekey.Client()
def ask(_):
    return client.token()
token = client.token()
with multiprocessing.get_context("fork").Pool(4) as pool:
    assert set(pool.map(ask, range(40))) == {token}
"""
    )
    assert lakebase.mints() == 1


def test_multiprocessing_by_spawn_works(lakebase: Lakebase, tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(
        "import lakekey, multiprocessing\n"
        "def ask(_):\n    return len(lakekey.token())\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        assert min(pool.map(ask, range(4))) > 1000\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], env=lakebase.emulator.environment(), capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr


APP = """
import os
import lakekey
import lakekey.psycopg

client = lakekey.Client()
preloaded = client.token()  # minted in the master, before the workers are forked

def app(environ, start_response):
    token = client.token()
    if environ["PATH_INFO"] == "/login":
        with lakekey.psycopg.connect(client=client) as conn:
            conn.execute("SELECT 1")
    if environ["PATH_INFO"] == "/renew":
        client.invalidate(token)
        token = client.token()
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{os.getpid()} {token == preloaded}".encode()]
"""


@pytest.fixture
def gunicorn(lakebase: Lakebase, tmp_path: Path) -> Iterator[Callable[[str], tuple[int, bool]]]:
    (tmp_path / "app.py").write_text(APP)
    address = tmp_path / "address"
    (tmp_path / "conf.py").write_text(
        "def when_ready(server):\n"
        f"    open({str(address)!r} + '.new', 'w').write(str(server.LISTENERS[0].sock.getsockname()[1]))\n"
        f"    __import__('os').rename({str(address)!r} + '.new', {str(address)!r})\n"
    )
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "--preload", "--workers", "4", "--config", "conf.py",
            "--bind", "127.0.0.1:0", "app:app",
        ],  # fmt: skip
        cwd=tmp_path,
        env=lakebase.emulator.environment(),
        stdout=log,
        stderr=log,
    )
    try:
        until(lambda: address.exists() or process.poll() is not None, 60)
        log.seek(0)
        assert address.exists(), log.read()
        port = int(address.read_text())

        def ask(path: str) -> tuple[int, bool]:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                pid, preloaded = answer.read().decode().split()
                return int(pid), preloaded == "True"

        yield ask
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def test_gunicorns_workers_go_on_with_the_preloaded_token(
    gunicorn: Callable[[str], tuple[int, bool]], lakebase: Lakebase
) -> None:
    answers = [gunicorn("/login") for _ in range(8)]
    assert all(preloaded for _, preloaded in answers)
    assert lakebase.mints() == 1
    pid, preloaded = gunicorn("/renew")
    assert not preloaded
    assert lakebase.mints() == 2
    assert pid
