"""The app in Python: a psycopg pool of one connection, or with ``async`` as argument an async one."""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lakekey
import lakekey.psycopg

# What the library logs must hold no secret either.
logging.basicConfig(level=logging.DEBUG)


class App:
    """The blocking one."""

    def __init__(self) -> None:
        self.pool: Any = None
        self.client: Any = None

    def connect(self, endpoint: str, ttl: str, budget: str, user: str) -> str:
        self.client = lakekey.Client()
        self.pool = lakekey.psycopg.pool(
            endpoint,
            client=self.client,
            ttl=int(ttl),
            timeout=float(budget),
            min_size=1,
            max_size=1,
            **({"user": user} if user else {}),
        )
        return self.query("select 1")

    def storm(self, endpoint: str, ttl: str, budget: str, count: str) -> str:
        client = lakekey.Client()

        def one(_: int) -> int:
            with lakekey.psycopg.connect(endpoint, client=client, ttl=int(ttl), timeout=float(budget)) as connection:
                return int(connection.execute("select 1").fetchone()[0])

        with ThreadPoolExecutor(int(count)) as threads:
            done = sum(threads.map(one, range(int(count))))
        client.close()
        return str(done)

    def query(self, sql: str) -> str:
        with self.pool.connection() as connection:
            cursor = connection.execute(sql)
            return str(cursor.fetchone()[0]) if cursor.description else ""

    def close(self) -> str:
        if self.pool is not None:
            self.pool.close()
            self.client.close()
        return ""


class AsyncApp:
    """The one for asyncio."""

    def __init__(self) -> None:
        self.pool: Any = None
        self.client: Any = None

    async def connect(self, endpoint: str, ttl: str, budget: str, user: str) -> str:
        self.client = lakekey.Client()
        self.pool = lakekey.psycopg.async_pool(
            endpoint,
            client=self.client,
            ttl=int(ttl),
            timeout=float(budget),
            min_size=1,
            max_size=1,
            **({"user": user} if user else {}),
        )
        await self.pool.open()
        return await self.query("select 1")

    async def storm(self, endpoint: str, ttl: str, budget: str, count: str) -> str:
        client = lakekey.Client()

        async def one() -> int:
            made = await lakekey.psycopg.aconnect(endpoint, client=client, ttl=int(ttl), timeout=float(budget))
            async with made as connection:
                return int((await (await connection.execute("select 1")).fetchone())[0])

        done = sum(await asyncio.gather(*(one() for _ in range(int(count)))))
        client.close()
        return str(done)

    async def query(self, sql: str) -> str:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(sql)
            return str((await cursor.fetchone())[0]) if cursor.description else ""

    async def close(self) -> str:
        if self.pool is not None:
            await self.pool.close()
            self.client.close()
        return ""


def told(error: BaseException) -> str:
    explanation = lakekey.explain(error)
    code = getattr(error, "slug", "")
    events = " ".join(getattr(error, "events", ()))
    fields = (explanation.kind, code, explanation.hint or "", f"{type(error).__name__}: {error} {events}")
    return "failed\t" + "\t".join(" ".join(field.split()) for field in fields)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    app = App()
    for line in sys.stdin:
        verb, *fields = line.rstrip("\n").split("\t")
        if verb == "end":
            return
        try:
            say(f"ok\t{getattr(app, verb)(*fields)}")
        except Exception as error:
            say(told(error))


async def amain() -> None:
    app = AsyncApp()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, *fields = line.rstrip("\n").split("\t")
        if verb == "end":
            return
        try:
            say(f"ok\t{await getattr(app, verb)(*fields)}")
        except Exception as error:
            say(told(error))


if "async" in sys.argv[1:]:
    asyncio.run(amain())
else:
    main()
