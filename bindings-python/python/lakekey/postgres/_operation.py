"""Operations: what takes longer than a request, and goes on whether anybody waits or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from .. import _lakekey
from .._client import wait
from ._message import Message

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from datetime import timedelta

    from .._client import Client

    Seconds = float | timedelta

T = TypeVar("T")


class Progress(NamedTuple):
    """Where an unfinished operation is."""

    name: str
    """The operation's name."""
    waited: float
    """For how many seconds it has been waited for."""
    metadata: dict[str, Any] | None
    """What the service says of it."""


class _Handle(Generic[T]):
    def __init__(self, client: Client, kind: type[Any] | None, record: dict[str, Any]) -> None:
        self._client = client
        self._kind = kind
        self._record = record

    @property
    def name(self) -> str:
        """Its name, by which it can be waited for later. Empty if the answer that told it was lost."""
        return str(self._record.get("name", ""))

    @property
    def resource(self) -> str | None:
        """The name of the resource that it is about."""
        return self._record.get("resource")

    @property
    def done(self) -> bool:
        """Whether it had ended when it was last looked at."""
        return bool(self._record.get("done"))

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What the service said of it."""
        return self._record.get("metadata")

    @property
    def error(self) -> dict[str, Any] | None:
        """What it had failed with."""
        return self._record.get("error")

    @property
    def response(self) -> dict[str, Any] | None:
        """What it had ended with."""
        return self._record.get("response")

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the API."""
        return dict(self._record)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, done={self.done})"

    def _ended(self, text: str) -> Any:
        ended = json.loads(text)
        if self._kind is None:
            return None
        return self._kind.from_dict(ended) if issubclass(self._kind, Message) else ended


class Operation(_Handle[T]):
    """An operation that ends with a ``T``."""

    def wait(
        self, timeout: Seconds | None = None, *, progress: Callable[[Progress], object] | None = None
    ) -> T:
        """Waits for its end, for 20 minutes unless told otherwise, and returns what it ended with.

        ``progress`` is called on this thread now and then; what it raises ends the wait. The operation goes on when the
        wait ends early: ``client.postgres.operation(name)`` waits again.
        """
        tell = None if progress is None else _telling(progress)
        ended: T = self._ended(_lakekey.wait_operation(self._client, json.dumps(self._record), timeout, tell))
        return ended


class AsyncOperation(_Handle[T]):
    """An operation that ends with a ``T``."""

    async def wait(
        self, timeout: Seconds | None = None, *, progress: Callable[[Progress], object] | None = None
    ) -> T:
        """As ``Operation.wait``. ``progress`` is called on the event loop. Cancelling ends the wait only."""
        from asyncio import get_running_loop

        tell = None if progress is None else _scheduling(get_running_loop(), _telling(progress))
        record = json.dumps(self._record)
        text = await wait(lambda deliver: _lakekey.start_wait(self._client, deliver, record, timeout, tell))
        ended: T = self._ended(text)
        return ended


def _telling(progress: Callable[[Progress], object]) -> Callable[[str], None]:
    def tell(text: str) -> None:
        told = json.loads(text)
        progress(Progress(told["name"], told["waited_ms"] / 1000, told["metadata"]))

    return tell


def _scheduling(loop: AbstractEventLoop, tell: Callable[[str], None]) -> Callable[[str], None]:
    def schedule(text: str) -> None:
        try:
            loop.call_soon_threadsafe(tell, text)
        except RuntimeError:
            pass  # The loop was closed meanwhile: nobody waits any more.

    return schedule
