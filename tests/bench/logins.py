"""One login, dialled, checked and closed: through lakekey, and by psycopg with a password that it was given once."""

from __future__ import annotations

import time
from collections.abc import Callable

import lakekey
import lakekey.psycopg
import psycopg
from figures import ROUNDS, medians, row

LOGINS = 10

client = lakekey.Client()
static = client.connect_params()


def milliseconds(connect: Callable[[], psycopg.Connection]) -> float:
    begun = time.perf_counter()
    for _ in range(LOGINS):
        connect().close()
    return (time.perf_counter() - begun) * 1000 / LOGINS


ours, theirs = medians(
    ROUNDS * 2,
    lambda: milliseconds(lambda: lakekey.psycopg.connect(client=client)),
    lambda: milliseconds(lambda: psycopg.connect(**static)),
)
row("a login", "ms", ours, "psycopg, static password", theirs, ratio=1.03)
