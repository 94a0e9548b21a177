"""The end of the interpreter: whatever is under way on other threads then, the process ends by itself and well."""

from __future__ import annotations

import os

import pytest

from lakebase import TARGET, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

# Many interpreters at the price of one start: each child runs the rest of the program and shuts down in full.
MANY = """
import logging, os, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import asyncio, threading
import lakekey
logging.getLogger("lakekey").setLevel(logging.CRITICAL + 1)
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        break
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"child {number} ended with {status}"
else:
    sys.exit(0)
target, host = sys.argv[2:]
"""


def test_a_provider_that_still_works_does_not_hurt(nobody: str) -> None:
    run_python(
        MANY
        + """
began = threading.Event()
def provider():
    began.set()
    while True:
        time.sleep(0.0005)
client = lakekey.Client(host=host, target=target, token_provider=provider)
client.prepare()
assert began.wait(20)
""",
        "20",
        TARGET,
        nobody,
    )


def test_coroutines_that_still_wait_do_not_hurt(nobody: str) -> None:
    run_python(
        MANY
        + """
client = lakekey.Client(host=host, target=target, token="dapi1")
async def main():
    for _ in range(100):
        asyncio.ensure_future(client.atoken(timeout=0.02))
    await asyncio.sleep(0.02)
asyncio.run(main())
""",
        "100",
        TARGET,
        nobody,
    )


def test_daemon_threads_that_still_wait_do_not_hurt(silent: str) -> None:
    run_python(
        MANY
        + """
import atexit
client = lakekey.Client(host=host, target=target, token="dapi1")
def ask():
    while True:
        try:
            client.token(timeout=10)
        except lakekey.LakekeyError:
            pass
def late():
    # The thread that ends the interpreter may still call.
    try:
        client.token(timeout=0.05)
    except lakekey.LakekeyError as error:
        assert error.slug != "CANCELLED", error
    else:
        os._exit(3)
atexit.register(late)
for _ in range(4):
    threading.Thread(target=ask, daemon=True).start()
while not lakekey._lakekey.has_threads():
    time.sleep(0.001)
""",
        "20",
        TARGET,
        silent,
    )
