"""A token that is in the cache, against a Python method that does nothing; by one and by many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import lakekey
from figures import ROUNDS, medians, row

CALLS = 200_000


class Empty:
    def token(self) -> str:
        return ""


def nanoseconds(call: Callable[[], object], threads: int) -> float:
    """Time per call, all threads together."""
    each = CALLS // threads
    start = threading.Barrier(threads + 1)

    def work() -> None:
        start.wait()
        for _ in range(each):
            call()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    begun = time.perf_counter_ns()
    for worker in workers:
        worker.join()
    return (time.perf_counter_ns() - begun) / (each * threads)


client = lakekey.Client()
empty = Empty()
client.token()
for threads in (1, 8, 64):
    ours, theirs = medians(
        ROUNDS, lambda: nanoseconds(client.token, threads), lambda: nanoseconds(empty.token, threads)
    )
    row(f"warm token(), {threads} thread{'s' if threads > 1 else ''}", "ns", ours, "empty method", theirs, ratio=3.0)
