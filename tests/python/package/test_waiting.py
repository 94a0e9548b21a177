"""Waiting: other threads, the event loop and Ctrl-C go on; crowds share one mint."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import lakekey
from lakebase import TARGET, Lakebase, until


def test_other_threads_run_while_a_call_waits(silent: str) -> None:
    client = lakekey.Client(target=TARGET, host=silent, token="dapi1")
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.005):
            ticks += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    with pytest.raises(lakekey.LakekeyError):
        client.token(timeout=1)
    done.set()
    ticker.join()
    assert ticks > 40, ticks


async def test_the_event_loop_runs_while_a_call_waits(silent: str) -> None:
    client = lakekey.Client(target=TARGET, host=silent, token="dapi1")
    longest = 0.0
    last = time.monotonic()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    ticker = asyncio.create_task(tick())
    calls = [client.atoken(timeout=1), client.aconnect_params(timeout=1), client.aconninfo(timeout=1)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    ticker.cancel()
    assert all(isinstance(outcome, lakekey.LakekeyError) for outcome in outcomes), outcomes
    assert longest < 0.3, f"the loop stood still for {longest:.3f} s"


async def test_cancelling_a_task_ends_its_own_wait_only(lakebase: Lakebase) -> None:
    lakebase.fault("/api/2.0/postgres/credentials", {"kind": "latency", "ms": 700})
    client = lakebase.client()
    first, second = asyncio.create_task(client.atoken()), asyncio.create_task(client.atoken())
    await asyncio.sleep(0.2)
    first.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert time.monotonic() - started < 0.3
    assert await second
    assert lakebase.mints() == 1


async def test_wait_for_ends_in_time(silent: str) -> None:
    client = lakekey.Client(target=TARGET, host=silent, token="dapi1")
    started = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.atoken(), 0.2)
    assert time.monotonic() - started < 1


def test_a_loop_that_is_closed_meanwhile_is_no_trouble(silent: str) -> None:
    client = lakekey.Client(target=TARGET, host=silent, token="dapi1")
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.atoken(timeout=0.3))
    loop.run_until_complete(asyncio.sleep(0.05))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    with pytest.raises(lakekey.LakekeyError):
        client.token(timeout=0.5)


CTRL_C = """
import signal, sys, lakekey
# Whoever runs the tests in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
client = lakekey.Client(target=sys.argv[2], host=sys.argv[1], token="dapi1")
print("waiting", flush=True)
try:
    client.token(timeout=60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_wait_within_200_ms(silent: str) -> None:
    with subprocess.Popen([sys.executable, "-c", CTRL_C, silent, TARGET], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        until(lambda: threads_of(process.pid) > 1)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - sent < 0.2
        assert process.wait(20) == 0


def threads_of(pid: int) -> int:
    """How many threads a process has; where that cannot be seen, enough."""
    folder = f"/proc/{pid}/task"
    return len(os.listdir(folder)) if os.path.isdir(folder) else 2


# Crowds come in processes of their own: in this one the credential may be there already.


def test_500_first_connects_from_64_threads_over_3_pools_mint_once(lakebase: Lakebase) -> None:
    lakebase.python(
        """
import threading
import lakekey, lakekey.psycopg

pools = [lakekey.psycopg.pool(client=lakekey.Client(), min_size=1, max_size=8, timeout=60) for _ in range(3)]
turns, lock, failures = iter(range(500)), threading.Lock(), []

def work():
    while True:
        with lock:
            turn = next(turns, None)
        if turn is None:
            return
        try:
            with pools[turn % 3].connection() as conn:
                conn.execute("SELECT 1")
        except BaseException as error:
            failures.append(error)

threads = [threading.Thread(target=work) for _ in range(64)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
[pool.close() for pool in pools]
assert not failures, failures[:3]
"""
    )
    assert lakebase.mints() == 1


def test_500_first_logins_from_64_threads_mint_once(lakebase: Lakebase) -> None:
    lakebase.python(
        """
import threading
import lakekey

clients = [lakekey.Client() for _ in range(3)]
tokens, failures, barrier = [], [], threading.Barrier(64)

def work(number):
    barrier.wait()
    try:
        for turn in range(8):
            tokens.append(clients[(number + turn) % 3].connect_params()["password"])
    except BaseException as error:
        failures.append(error)

threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures[:3]
assert len(tokens) == 512 and len(set(tokens)) == 1
"""
    )
    assert lakebase.mints() == 1


def test_500_concurrent_async_tokens_mint_once(lakebase: Lakebase) -> None:
    lakebase.python(
        """
import asyncio, lakekey
async def main():
    tokens = await asyncio.gather(*(lakekey.atoken() for _ in range(500)))
    assert len(set(tokens)) == 1
asyncio.run(main())
"""
    )
    assert lakebase.mints() == 1


def test_500_concurrent_async_connects_mint_once(lakebase: Lakebase) -> None:
    lakebase.python(
        """
import asyncio, lakekey.psycopg
async def main():
    async with lakekey.psycopg.async_pool(min_size=1, max_size=16, timeout=60) as pool:
        async def one():
            async with pool.connection() as conn:
                await conn.execute("SELECT 1")
        await asyncio.gather(*(one() for _ in range(500)))
asyncio.run(main())
"""
    )
    assert lakebase.mints() == 1
