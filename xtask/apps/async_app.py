"""The app that soak watches: tasks that share one psycopg pool from ``lakekey.psycopg.async_pool``, on an event loop of
their own. It tells how it goes, as ``telling.py`` says.
"""

from __future__ import annotations

import asyncio
import threading
import time

import psycopg
import psycopg_pool

import lakekey
import lakekey.psycopg
from telling import PATIENCE_S, RECYCLE_S, REST_S, STATEMENT, WORKERS, Telling


class App(Telling):
    pool: psycopg_pool.AsyncConnectionPool | None = None

    async def connected(self, connection: psycopg.AsyncConnection) -> None:
        self.saw(connection.info.password)

    async def work(self) -> None:
        while not self.ended.is_set():
            if not self.running.is_set():
                await asyncio.sleep(0.1)
                continue
            number, began, login = self.number(), time.monotonic(), True
            try:
                assert self.pool is not None
                async with self.pool.connection() as connection:
                    login = False
                    row = await (await connection.execute(STATEMENT, (number,))).fetchone()
                    assert row is not None and row[0] == number, row
                self.done()
            except (psycopg.Error, psycopg_pool.PoolTimeout, lakekey.LakekeyError, AssertionError) as error:
                self.failed(error, number, began, login=login)
            await asyncio.sleep(REST_S)

    def pool_figures(self) -> dict[str, int]:
        return self.pool.get_stats() if self.pool is not None else {}

    async def serve(self) -> None:
        pool = lakekey.psycopg.async_pool(
            client=self.client,
            min_size=0,
            max_size=WORKERS,
            max_lifetime=RECYCLE_S,
            max_idle=RECYCLE_S,
            timeout=PATIENCE_S,
            configure=self.connected,
            open=False,
        )
        async with pool:
            self.pool = pool
            await asyncio.gather(*(self.work() for _ in range(WORKERS)))


def main() -> None:
    app = App()
    loop = threading.Thread(target=lambda: asyncio.run(app.serve()), name="loop")
    loop.start()
    app.take_commands()
    loop.join()
    versions = f"psycopg {psycopg.__version__} with AsyncConnectionPool {psycopg_pool.__version__}"
    app.finish(versions, app.figures())


if __name__ == "__main__":
    main()
