"""The app that the demo watches: threads that share one psycopg pool from ``lakekey.psycopg.pool``.

It is an ordinary app but for two things: its pool recycles connections after a second, so that many logins happen, and
it tells every half second how it goes, one JSON object a line. Commands come on stdin: ``pause`` (and let every
connection go), ``resume``, ``stop``.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import threading
import time

import psycopg
import psycopg_pool

import lakekey
import lakekey.psycopg

THREADS = 6
RECYCLE_S = 0.8


class App:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.queries = 0
        self.failed_queries = 0
        self.tokens: set[str] = set()
        self.running = threading.Event()
        self.ended = threading.Event()
        self.client = lakekey.Client()
        self.pool = lakekey.psycopg.pool(
            client=self.client,
            min_size=0,
            max_size=THREADS,
            max_lifetime=RECYCLE_S,
            max_idle=RECYCLE_S,
            timeout=10,
            configure=self.connected,
        )

    def connected(self, connection: psycopg.Connection) -> None:
        """Runs at each new connection of the pool: notes which token it logged in with."""
        self.saw(connection.info.password)

    def saw(self, token: str) -> None:
        with self.lock:
            self.tokens.add(hashlib.sha256(token.encode()).hexdigest())

    def work(self) -> None:
        while not self.ended.is_set():
            if not self.running.wait(0.1):
                continue
            number = random.randrange(1_000_000)
            try:
                with self.pool.connection() as connection:
                    row = connection.execute("select %s::int, current_user", (number,)).fetchone()
                    assert row is not None and row[0] == number, row
                good = True
            except (psycopg.Error, psycopg_pool.PoolTimeout, lakekey.LakekeyError, AssertionError) as error:
                good = False
                say({"failure": f"{type(error).__name__}: {error}"})
            with self.lock:
                self.queries += good
                self.failed_queries += not good
            time.sleep(0.01)

    def figures(self) -> dict[str, object]:
        stats = self.pool.get_stats()
        failed = stats.get("connections_errors", 0)
        with self.lock:
            return {
                "logins": stats.get("connections_num", 0) - failed,
                "failed_logins": failed,
                "queries": self.queries,
                "failed_queries": self.failed_queries,
                "tokens": len(self.tokens),
                "connections": stats.get("pool_size", 0),
            }

    def tell(self) -> None:
        while not self.ended.wait(0.5):
            say(self.figures())

    def settle(self) -> None:
        """Waits for the next token. Right after a rotation none is due, so that a quiet app leaves no token behind that
        nobody saw, and what the emulator minted and what this app saw can be compared."""
        last = self.client.token()
        self.saw(last)
        deadline = time.monotonic() + 60
        while (token := self.client.token()) == last:
            if time.monotonic() > deadline:
                raise SystemExit("the token did not rotate within a minute")
            time.sleep(0.02)
        self.saw(token)


OUTPUT = threading.Lock()


def say(message: dict[str, object]) -> None:
    with OUTPUT:
        print(json.dumps(message), flush=True)


def main() -> None:
    app = App()
    threads = [threading.Thread(target=app.work, name=f"worker-{number}") for number in range(THREADS)]
    threads.append(threading.Thread(target=app.tell, name="teller"))
    for thread in threads:
        thread.start()
    app.running.set()
    for line in sys.stdin:
        match line.strip():
            case "pause":
                app.running.clear()
                app.settle()
            case "resume":
                app.running.set()
            case "stop":
                break
    app.running.clear()
    app.ended.set()
    for thread in threads:
        thread.join()
    app.settle()
    figures = app.figures()
    app.pool.close()
    app.client.close()
    driver = f"psycopg {psycopg.__version__} with psycopg_pool {psycopg_pool.__version__}"
    say({"done": True, "driver": driver, **figures})


if __name__ == "__main__":
    main()
