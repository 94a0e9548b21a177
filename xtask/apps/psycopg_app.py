"""The app that demo and soak watch: threads that share one psycopg pool from ``lakekey.psycopg.pool``.

It is an ordinary app but for two things: its pool recycles connections after a second, so that many logins happen, and
it tells how it goes, as ``telling.py`` says.
"""

from __future__ import annotations

import threading
import time

import psycopg
import psycopg_pool

import lakekey
import lakekey.psycopg
from telling import PATIENCE_S, RECYCLE_S, REST_S, STATEMENT, WORKERS, Telling


class App(Telling):
    def __init__(self) -> None:
        super().__init__()
        self.pool = lakekey.psycopg.pool(
            client=self.client,
            min_size=0,
            max_size=WORKERS,
            max_lifetime=RECYCLE_S,
            max_idle=RECYCLE_S,
            timeout=PATIENCE_S,
            configure=self.connected,
        )
        self.threads = [threading.Thread(target=self.work, name=f"worker-{at}") for at in range(WORKERS)]

    def connected(self, connection: psycopg.Connection) -> None:
        """Runs at each new connection of the pool: notes which token it logged in with."""
        self.saw(connection.info.password)

    def work(self) -> None:
        while not self.ended.is_set():
            if not self.running.wait(0.1):
                continue
            number, began, login = self.number(), time.monotonic(), True
            try:
                with self.pool.connection() as connection:
                    login = False
                    row = connection.execute(STATEMENT, (number,)).fetchone()
                    assert row is not None and row[0] == number, row
                self.done()
            except (psycopg.Error, psycopg_pool.PoolTimeout, lakekey.LakekeyError, AssertionError) as error:
                self.failed(error, number, began, login=login)
            time.sleep(REST_S)

    def pool_figures(self) -> dict[str, int]:
        return self.pool.get_stats()


def main() -> None:
    app = App()
    for thread in app.threads:
        thread.start()
    app.take_commands()
    for thread in app.threads:
        thread.join()
    figures = app.figures()
    app.pool.close()
    app.finish(f"psycopg {psycopg.__version__} with psycopg_pool {psycopg_pool.__version__}", figures)


if __name__ == "__main__":
    main()
