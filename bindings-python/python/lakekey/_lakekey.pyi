from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, final

from typing_extensions import Self, disjoint_base

from .errors import LakekeyError

__version__: str
__all__ = [
    "Answer",
    "Attempt",
    "Client",
    "Connect",
    "Credential",
    "Pending",
    "Plan",
    "__version__",
    "_panic",
    "call",
    "codes",
    "explain",
    "hand_over",
    "has_threads",
    "login_kinds",
    "start_call",
    "start_wait",
    "token",
    "wait_operation",
]

@disjoint_base
class Client:
    def __new__(
        cls,
        settings: list[tuple[str, str]],
        target: str | None = None,
        timeout: float | timedelta | None = None,
        product: str | None = None,
        provider: Callable[[Answer], None] | None = None,
        user: tuple[Client, str] | None = None,
        shared_credentials: str | None = None,
    ) -> Self: ...
    def token(
        self, target: str | None = None, *, ttl: float | timedelta | None = None, timeout: float | timedelta | None = None
    ) -> str:
        """A database credential's token: the password of one login."""

    def credential(
        self, target: str | None = None, *, ttl: float | timedelta | None = None, timeout: float | timedelta | None = None
    ) -> Credential:
        """A database credential with its times and identity."""

    def invalidate(self, token: str) -> bool:
        """Takes a token out of the cache because Postgres refused it; whether a fresh one is due."""

    def prepare(self, target: str | None = None) -> None:
        """Starts what a first login needs, side by side, and returns at once."""

    def stats(self) -> dict[str, Any]:
        """What was counted in this process since it began, over all its clients: mints, logins, failures, waits, ages."""

    def recent_events(self) -> list[str]:
        """The last events of this process, oldest first, each with its time."""

    def close(self) -> None:
        """Ends the client: later calls fail. Harmless when repeated."""

    def _prepare(self, wanted: dict[str, Any]) -> None: ...
    def _peek(self, target: str | None = None) -> str | None: ...
    def _connect(self, wanted: dict[str, Any]) -> Connect: ...
    def _start_credential(
        self,
        deliver: Callable[[Any, Exception | None], None],
        target: str | None,
        ttl: float | timedelta | None,
        timeout: float | timedelta | None,
    ) -> Pending: ...
    def _plan(self, wanted: dict[str, Any], addresses: list[str], budget: float | timedelta | None) -> Plan: ...
    def _start_connect(self, deliver: Callable[[Any, Exception | None], None], wanted: dict[str, Any]) -> Pending: ...

@final
class Credential:
    """A database credential. Immutable; its representation shows no token."""

    @property
    def token(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def issued_at(self) -> datetime: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def subject(self) -> str | None: ...

@final
class Connect:
    def kwargs(self) -> dict[str, str]: ...
    def conninfo(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def cached(self) -> bool: ...
    @property
    def user(self) -> str: ...
    @property
    def subject(self) -> str | None: ...

@final
class Plan:
    def next(self, text: str | None = None, code: str | None = None) -> Attempt: ...
    def start_next(
        self, deliver: Callable[[Any, Exception | None], None], text: str | None = None, code: str | None = None
    ) -> Pending: ...
    def cancel(self) -> None: ...
    def connected(self) -> None: ...

@final
class Attempt:
    def kwargs(self) -> dict[str, str]: ...
    @property
    def timeout(self) -> float: ...
    @property
    def number(self) -> int: ...

@final
class Pending:
    @property
    def patience(self) -> float: ...
    def cancel(self) -> None: ...
    def late(self) -> LakekeyError: ...

@final
class Answer:
    def token(self, token: str, expires_at_ms: int | None = None) -> None: ...
    def raised(self, error: BaseException, place: str) -> None: ...

def token(
    target: str | None = None, *, ttl: float | timedelta | None = None, timeout: float | timedelta | None = None
) -> str:
    """A database credential's token: the password of one login."""

def call(client: Client, method: str, arguments: str, timeout: float | timedelta | None = None) -> str: ...
def start_call(
    client: Client,
    deliver: Callable[[Any, Exception | None], None],
    method: str,
    arguments: str,
    timeout: float | timedelta | None = None,
) -> Pending: ...
def wait_operation(
    client: Client,
    operation: str,
    timeout: float | timedelta | None = None,
    progress: Callable[[str], object] | None = None,
) -> str: ...
def start_wait(
    client: Client,
    deliver: Callable[[Any, Exception | None], None],
    operation: str,
    timeout: float | timedelta | None = None,
    progress: Callable[[str], object] | None = None,
) -> Pending: ...
def codes() -> list[tuple[int, str, bool]]: ...
def explain(text: str, code: str | None = None) -> tuple[str, bool, str, bool, str | None]: ...
def login_kinds() -> list[str]: ...
def hand_over() -> None: ...
def has_threads() -> bool: ...
def _panic() -> None: ...
