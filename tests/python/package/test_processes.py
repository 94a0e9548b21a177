"""The process models that servers bring: workers that are forked from a process that has used lakekey, other interpreters
and loops in one process, and how each of them ends.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakebase import TARGET, Lakebase, run_python, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@contextmanager
def server(command: list[str], folder: Path, lakebase: Lakebase) -> Iterator[Path]:
    """A server that runs meanwhile, and the file with what it says. At the end it must go when it is asked to."""
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=lakebase.emulator.environment(), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield log
            process.send_signal(signal.SIGINT if "pyuwsgi" in command[-1] else signal.SIGTERM)
            process.wait(30)
        finally:
            if process.poll() is None:
                # Its own group: workers whose master is killed would stay.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    assert "panicked" not in log.read_text()


def test_multiprocessing_by_forkserver_works(lakebase: Lakebase, tmp_path: Path) -> None:
    script = tmp_path / "served.py"
    script.write_text(
        "import lakekey, lakekey.psycopg, multiprocessing\n"
        "def ask(_):\n"
        "    with lakekey.psycopg.connect() as conn:\n"
        "        return conn.execute('select 1').fetchone()[0]\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('forkserver')\n"
        # The server imports lakekey and forks all workers from there.
        "    context.set_forkserver_preload(['lakekey', 'lakekey.psycopg'])\n"
        "    lakekey.token()\n"
        "    with context.Pool(3) as pool:\n"
        "        assert pool.map(ask, range(12)) == [1] * 12\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], env=lakebase.emulator.environment(), capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    # Its workers inherit no token: the server has none. One each, and the parent's.
    assert 2 <= lakebase.mints() <= 4


CELERY = """
import os
from celery import Celery
from celery.signals import worker_process_init
import lakekey, lakekey.psycopg

here = os.path.dirname(os.path.abspath(__file__))
app = Celery("tasks", broker="filesystem://", backend=f"file://{here}/results")
folders = {f"data_folder_{way}": f"{here}/queue" for way in ("in", "out")}
app.conf.broker_transport_options = {**folders, "control_folder": f"{here}/control"}
app.conf.broker_connection_retry_on_startup = True

# Both are made in the master: the token is inherited, and psycopg's threads are started by who opens the pool.
client = lakekey.Client()
preloaded = client.token()
before = lakekey.psycopg.pool(client=client, min_size=1, max_size=2, timeout=40, open=False)
after = None

@worker_process_init.connect
def begin(**_):
    global after
    before.open()
    after = lakekey.psycopg.pool(client=client, min_size=1, max_size=2, timeout=40)

@app.task
def ask(which):
    with (before if which == "before" else after).connection() as conn:
        row = conn.execute("select current_user").fetchone()
    return [os.getpid(), row[0], client.token() == preloaded]

@app.task
def renew():
    client.invalidate(preloaded)
    with before.connection() as conn:
        conn.execute("select 1")
    return client.token() != preloaded
"""

ASK_CELERY = """
import tasks
results = [tasks.ask.delay(which) for which in ("before", "after") * 6]
answers = [result.get(timeout=60) for result in results]
assert {inherited for _, _, inherited in answers} == {True}, answers
assert len({user for _, user, _ in answers}) == 1, answers
assert tasks.renew.delay().get(timeout=60)
"""


def test_celerys_workers_query_by_pools_from_before_and_after_the_fork(lakebase: Lakebase, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(CELERY)
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    worker = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--pool", "prefork", "--concurrency", "2"]
    worker += ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with server(worker, tmp_path, lakebase) as log:
        until(lambda: "ready." in log.read_text(), 60)
        minted = lakebase.mints()
        assert minted == 1
        done = subprocess.run(
            [sys.executable, "-c", ASK_CELERY],
            cwd=tmp_path,
            # It imports the tasks, and so mints too.
            env=lakebase.emulator.environment(PYTHONPATH=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, f"{done.stderr}\n{log.read_text()}"
        assert lakebase.mints() == minted + 2


UWSGI = """
import os
import lakekey, lakekey.psycopg

client = lakekey.Client()
preloaded = client.token()

def application(environ, start_response):
    with lakekey.psycopg.connect(client=client) as conn:
        conn.execute("select 1")
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{os.getpid()} {client.token() == preloaded}".encode()]
"""


def test_uwsgis_workers_go_on_with_the_masters_token(lakebase: Lakebase, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(UWSGI)
    arguments = ["--master", "--processes", "2", "--enable-threads", "--need-app", "--http-socket", "127.0.0.1:0"]
    arguments += ["--wsgi-file", "app.py"]
    command = [sys.executable, "-c", f"import pyuwsgi; pyuwsgi.run({arguments!r})"]
    with server(command, tmp_path, lakebase) as log:
        bound = re.compile(r"bound to TCP address 127\.0\.0\.1:(\d+)")
        until(lambda: "spawned uWSGI worker 2" in log.read_text(), 60)
        port = bound.search(log.read_text())
        assert port, log.read_text()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(8):
            with opener.open(f"http://127.0.0.1:{port[1]}/", timeout=40) as answer:
                assert answer.read().split()[1] == b"True", log.read_text()
        assert lakebase.mints() == 1


# How processes end.

HANGS = """
import sys, threading, time
import lakekey
client = lakekey.Client()
def ask():
    try:
        client.token(timeout=30)
    except lakekey.LakekeyError:
        pass
thread = threading.Thread(target=ask, daemon=True)
thread.start()
while not lakekey._lakekey.has_threads():
    time.sleep(0.001)
time.sleep(0.2)  # Its request is under way.
print("ending", flush=True)
"""


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "import os; os._exit(0)"])
def test_an_interpreter_ends_at_once_while_a_mint_hangs(lakebase: Lakebase, end: str) -> None:
    lakebase.hang_mints()
    with subprocess.Popen(
        [sys.executable, "-c", HANGS + end],
        env=lakebase.emulator.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert process.stdout.readline() == "ending\n"
            said = time.monotonic()
            assert process.wait(20) == 0
            assert time.monotonic() - said < 2
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_thread_that_is_waited_for_at_exit_still_gets_its_token(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 500})
    done = lakebase.python(
        """
import threading, time
import lakekey
client = lakekey.Client()
main = threading.main_thread()
def ask():
    main.join()
    print(len(client.token(timeout=20)) > 100, flush=True)
threading.Thread(target=ask).start()
"""
    )
    assert done.stdout == "True\n" and done.stderr == ""


def test_a_loop_that_is_closed_under_a_mint_is_no_trouble(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 300})
    done = lakebase.python(
        """
import asyncio
import lakekey
client = lakekey.Client()
loop = asyncio.new_event_loop()
task = loop.create_task(client.atoken(timeout=10))
loop.run_until_complete(asyncio.sleep(0.1))
task._log_destroy_pending = False  # That it was pending is what this is about.
loop.close()
# The mint ends when there is nobody any more whom it could be told.
assert len(client.token(timeout=20)) > 100
other = asyncio.new_event_loop()
assert len(other.run_until_complete(client.atoken(timeout=20))) > 100
other.close()
del task
"""
    )
    assert "panicked" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert lakebase.mints() == 1


def test_two_loops_in_two_threads_share_a_client_and_a_mint(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 300})
    lakebase.python(
        """
import asyncio, threading
import lakekey
client = lakekey.Client()
tokens, together = [], threading.Barrier(2)
async def ask():
    together.wait()
    tokens.extend(await asyncio.gather(*(client.atoken(timeout=20) for _ in range(20))))
threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join(40) for thread in threads]
assert len(tokens) == 40 and len(set(tokens)) == 1
"""
    )
    assert lakebase.mints() == 1


# Other ways to run Python.


def test_gevent_serves_greenlets_and_its_threadpool_lets_others_run(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 500})
    lakebase.python(
        """
from gevent import monkey
monkey.patch_all()
import gevent
import lakekey, lakekey.psycopg
client = lakekey.Client()
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.005)
        ticks += 1
ticker = gevent.spawn(tick)
gevent.sleep(0)
# A call that waits would keep the loop; in gevent's threadpool it keeps a thread.
token = gevent.get_hub().threadpool.apply(client.token)
assert ticks > 20, ticks
# With a token at hand no call waits.
assert all(job.get(timeout=20) == token for job in [gevent.spawn(client.token) for _ in range(20)])
def query():
    with lakekey.psycopg.connect(client=client) as conn:
        return conn.execute("select 1").fetchone()[0]
jobs = [gevent.spawn(query) for _ in range(4)]
assert [job.get(timeout=40) for job in jobs] == [1] * 4
ticker.kill()
"""
    )
    assert lakebase.mints() == 1


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import lakekey
code = '''
import sys
try:
    import lakekey
except ImportError as error:
    print(error)
else:
    print("imported")
sys.stdout.flush()
'''
for _ in range(2):
    # Of the old kind, which shares the main interpreter's lock, where there are two kinds.
    old = getattr(interpreters, "new_config", None)
    one = interpreters.create("legacy") if old else interpreters.create()
    failed = interpreters.run_string(one, code)
    assert not failed, failed
    interpreters.destroy(one)
print(len(lakekey.token()) > 100)
try:
    lakekey.Client(target="no target").token()
except lakekey.TargetError:
    print("and its errors are its own")
"""


def test_a_subinterpreter_is_refused_with_the_reason_and_the_main_one_goes_on(lakebase: Lakebase) -> None:
    done = lakebase.python(SUBINTERPRETER)
    first, second, works, errors = done.stdout.splitlines()
    assert "does not support subinterpreters" in first and "WSGIApplicationGroup" in first, done.stdout
    assert second == first
    assert (works, errors) == ("True", "and its errors are its own")
