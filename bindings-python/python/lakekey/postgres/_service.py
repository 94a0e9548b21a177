"""How the generated methods send, receive and page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _lakekey
from .._client import wait
from ._generated._async_methods import AsyncMethods
from ._generated._methods import Methods
from ._message import M, encoded
from ._operation import AsyncOperation, Operation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import timedelta

    from .._client import Client

    Seconds = float | timedelta

T = TypeVar("T")


class Postgres(Methods):
    """The management API of a client's workspace. Methods, arguments and messages have the names of the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, method: str, arguments: dict[str, Any], *, timeout: Seconds | None = None) -> Any:
        """Calls a method by its name, with JSON: for what this version has no method for."""
        return json.loads(_lakekey.call(self._client, method, json.dumps(arguments, default=encoded), timeout))

    def operation(self, name: str, kind: type[M] | None = None) -> Operation[M]:
        """An operation that was begun earlier, or elsewhere, by its name; ``kind`` is what it ends with."""
        return Operation(self._client, kind, {"name": name})

    def _message(self, kind: type[M], method: str, arguments: dict[str, Any], timeout: Seconds | None) -> M:
        return kind.from_dict(self.call(method, arguments, timeout=timeout))

    def _operation(
        self, kind: type[Any] | None, method: str, arguments: dict[str, Any], timeout: Seconds | None
    ) -> Operation[Any]:
        return Operation(self._client, kind, self.call(method, arguments, timeout=timeout))

    def _pages(
        self, kind: type[M], method: str, items: str, arguments: dict[str, Any], timeout: Seconds | None
    ) -> Iterator[M]:
        # The next page is fetched while this one is read.
        token: str | None = arguments.get("page_token")
        while True:
            page = self.call(method, {**arguments, "page_token": token, "prefetch": True}, timeout=timeout)
            yield from map(kind.from_dict, page.get(items, ()))
            token = page.get("next_page_token")
            if not token:
                return


class AsyncPostgres(AsyncMethods):
    """The management API of a client's workspace, for asyncio."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, method: str, arguments: dict[str, Any], *, timeout: Seconds | None = None) -> Any:
        """Calls a method by its name, with JSON: for what this version has no method for."""
        text = json.dumps(arguments, default=encoded)
        return json.loads(await wait(lambda deliver: _lakekey.start_call(self._client, deliver, method, text, timeout)))

    def operation(self, name: str, kind: type[M] | None = None) -> AsyncOperation[M]:
        """An operation that was begun earlier, or elsewhere, by its name; ``kind`` is what it ends with."""
        return AsyncOperation(self._client, kind, {"name": name})

    async def _message(self, kind: type[M], method: str, arguments: dict[str, Any], timeout: Seconds | None) -> M:
        return kind.from_dict(await self.call(method, arguments, timeout=timeout))

    async def _operation(
        self, kind: type[Any] | None, method: str, arguments: dict[str, Any], timeout: Seconds | None
    ) -> AsyncOperation[Any]:
        return AsyncOperation(self._client, kind, await self.call(method, arguments, timeout=timeout))

    async def _pages(
        self, kind: type[M], method: str, items: str, arguments: dict[str, Any], timeout: Seconds | None
    ) -> AsyncIterator[M]:
        token: str | None = arguments.get("page_token")
        while True:
            page = await self.call(method, {**arguments, "page_token": token, "prefetch": True}, timeout=timeout)
            for item in page.get(items, ()):
                yield kind.from_dict(item)
            token = page.get("next_page_token")
            if not token:
                return
