"""psycopg_pool's own pools, which say why there is no connection.

psycopg_pool logs a failed login, tries again beside its callers, and tells them only that they waited too long.
"""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from ._explain import explain
from .errors import LakekeyError

if TYPE_CHECKING:
    from .psycopg import _Plan

# A login that failed longer ago is not the reason of a wait today.
_RECENT = 300.0


class NoConnection(LakekeyError, PoolTimeout):
    """No connection in time, because no login succeeded. The message has the reason; the failed login is the cause."""


def _told(plan: _Plan, error: PoolTimeout) -> PoolTimeout:
    """The error to raise in place of a bare timeout."""
    # psycopg_pool words a wait that was ended early as one that took its whole time.
    for known in (error, error.__context__):
        if isinstance(known, NoConnection):
            known.__context__ = None
            return known
    return _reason(plan, str(error) or "no connection in time") or error


def _reason(plan: _Plan, words: str) -> NoConnection | None:
    """Why there is no connection, if it was the login."""
    # Read once: a login that succeeds meanwhile takes it back.
    failed = plan.failed
    if failed is None or time.monotonic() - failed[0] > _RECENT:
        return None
    failure = failed[1]
    explanation = explain(failure)
    if isinstance(failure, LakekeyError):
        told = {name: getattr(failure, name) for name in ("code", "slug", "hint", "events", "retryable")}
        message = failure.message
    else:
        told = {"code": 1802, "slug": "LOGIN_UNAVAILABLE", "hint": explanation.hint, "retryable": True}
        told["events"] = tuple(plan.client.recent_events())
        message = f"[{explanation.kind}] {str(failure).strip()}"
    error = NoConnection(f"{words}: {message}", explanation=explanation, **told)
    error.__cause__ = failure
    return error


def _is_final(plan: _Plan, error: BaseException) -> bool:
    """Whether those who wait for the first connection of all shall be told at once."""
    return not plan.connected and isinstance(error, LakekeyError) and not error.retryable


class Pool(ConnectionPool[Any]):
    """A ``psycopg_pool.ConnectionPool`` that says why there is no connection."""

    def __init__(self, plan: _Plan, **options: Any) -> None:
        self._plan = plan
        plan.pool = weakref.ref(self)
        super().__init__(**options)

    def getconn(self, timeout: float | None = None) -> Any:
        try:
            return super().getconn(timeout)
        except PoolTimeout as error:
            raise _told(self._plan, error)

    def wait(self, timeout: float = 30.0) -> None:
        try:
            super().wait(timeout)
        except PoolTimeout as error:
            raise _told(self._plan, error)

    def close(self, timeout: float = 5.0) -> None:
        self._plan.give_up()
        super().close(timeout)

    def login_failed(self, error: Exception) -> None:
        """Ends the wait of those who wait for a first connection that no further try would bring."""
        if not _is_final(self._plan, error):
            return
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for client in waiting:
            client.fail(_reason(self._plan, "no connection") or error)


class AsyncPool(AsyncConnectionPool[Any]):
    """The same for asyncio."""

    def __init__(self, plan: _Plan, **options: Any) -> None:
        self._plan = plan
        plan.pool = weakref.ref(self)
        super().__init__(**options)

    async def getconn(self, timeout: float | None = None) -> Any:
        try:
            return await super().getconn(timeout)
        except PoolTimeout as error:
            raise _told(self._plan, error)

    async def wait(self, timeout: float = 30.0) -> None:
        try:
            await super().wait(timeout)
        except PoolTimeout as error:
            raise _told(self._plan, error)

    async def close(self, timeout: float = 5.0) -> None:
        self._plan.give_up()
        await super().close(timeout)

    async def login_failed(self, error: Exception) -> None:
        """As in ``Pool``."""
        if not _is_final(self._plan, error):
            return
        async with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for client in waiting:
            await client.fail(_reason(self._plan, "no connection") or error)
