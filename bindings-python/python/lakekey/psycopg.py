"""psycopg 3 with credentials that rotate: its own connections and pools, each login with a current token.

The token is fetched for each physical connection, so a pool works on when one has expired. A login that fails is tried
again where that is worth it and within one budget: with a fresh token for a refused one, at the server's other addresses,
while a compute wakes up. What runs on a connection is never tried again. Everything else about a connection is psycopg's
own: pass ``autocommit``, ``row_factory``, ``configure`` and the like as you would there.
"""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

import psycopg

from . import _telemetry as telemetry
from ._client import wait
from ._default import default_client
from .errors import LakekeyError, LoginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from ._client import Client, Seconds
    from ._lakekey import Attempt, Plan

__all__ = ["LoginFailed", "LoginRefused", "aconnect", "async_pool", "connect", "pool"]

# A connection outlives its token, but a pool that never reconnects finds out late that it may not log in any more.
MAX_LIFETIME = 2700.0

# Names that psycopg and lakekey share; what they mean when left out is decided in the core.
_OURS = {"dbname": "database", "database": "database", "user": "user", "port": "port"}
_OURS |= {name: name for name in ("sslmode", "sslrootcert", "ttl")}
_REFUSED = {
    "password": "lakekey gives the password; for a role with a native password use psycopg itself",
    "passfile": "lakekey gives the password; for a role with a native password use psycopg itself",
    "conninfo": "give the database as target, and the rest as keyword arguments",
    "host": "the target says which server is meant; a host name of one is a target too",
    "service": "the target says which server is meant",
}


class LoginFailed(LoginError, psycopg.OperationalError):
    """No login. ``explanation`` says what kind of trouble it was, ``hint`` what to do; the driver's error is the cause."""


class LoginRefused(LoginFailed):
    """Postgres, or what stands before it, refused the login."""


class _Plan:
    """Where to log in and how, for every connection of a pool, and what became of the last login."""

    def __init__(
        self, target: str | None, client: Client | None, given: dict[str, Any], budget: Seconds | None = None
    ) -> None:
        self.client = client or default_client()
        self.wanted = {"target": target}
        self.driver: dict[str, Any] = {}
        self.budget = budget
        self.connected = False
        self.under_way: set[Plan] = set()
        # The pool, if there is one: it is told why a login failed.
        self.pool: Callable[[], Any] = _no_pool
        # Why the last login failed, and when; nothing after one that did not.
        self.failed: tuple[float, BaseException] | None = None
        _split(given, self.wanted, self.driver)

    def merged(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        wanted, driver = dict(self.wanted), dict(self.driver)
        _split(given, wanted, driver)
        return wanted, driver

    def begin(self, given: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
        """One connect."""
        wanted, driver = self.merged(given)
        addresses = str(driver.pop("hostaddr", None) or "")
        steps = self.client._plan(wanted, addresses.split(",") if addresses else [], self.budget)
        self.under_way.add(steps)
        return steps, driver

    def give_up(self) -> None:
        """Ends the connects under way."""
        for steps in tuple(self.under_way):
            steps.cancel()

    def note(self, error: BaseException) -> None:
        # Without a pool the caller gets the error itself, which would be kept here by its own traceback.
        if self.pool is not _no_pool:
            self.failed = (time.monotonic(), error)

    def done(self, steps: Plan) -> None:
        self.connected, self.failed = True, None
        steps.connected()


def _no_pool() -> None:
    return None


def _split(given: dict[str, Any], wanted: dict[str, Any], driver: dict[str, Any]) -> None:
    for name, value in given.items():
        if name in _REFUSED and value is not None:
            raise TypeError(f"{name}= cannot be given here: {_REFUSED[name]}")
        if name in _OURS:
            wanted[_OURS[name]] = value
        else:
            driver[name] = value


def connect(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> psycopg.Connection[Any]:
    """A ``psycopg.Connection``. Keyword arguments are those of ``psycopg.connect``, ``ttl``, and ``timeout``, the seconds
    that it may take in all."""
    budget = kwargs.pop("timeout", None)
    made: psycopg.Connection[Any] = _dial(_Plan(target, client, kwargs, budget), psycopg.Connection, {})
    return made


async def aconnect(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> psycopg.AsyncConnection[Any]:
    """A ``psycopg.AsyncConnection``. Keyword arguments are those of ``psycopg.AsyncConnection.connect``, and as above."""
    budget = kwargs.pop("timeout", None)
    made: psycopg.AsyncConnection[Any] = await _adial(_Plan(target, client, kwargs, budget), psycopg.AsyncConnection, {})
    return made


def pool(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> ConnectionPool[psycopg.Connection[Any]]:
    """A ``psycopg_pool.ConnectionPool``. Keyword arguments are its own and those of ``psycopg.connect``.

    Connections are checked when they are taken out and recycled after 45 minutes, unless you say otherwise.
    """
    from ._pools import Pool

    plan, options = _pooled(Pool, target, client, kwargs)
    # Said aloud, because psycopg_pool warns of pools that are opened unasked.
    options.setdefault("open", True)
    base = options.pop("connection_class", psycopg.Connection)

    class Dialer(base):  # type: ignore[misc, valid-type]
        @classmethod
        def connect(cls, conninfo: str = "", **given: Any) -> Any:
            try:
                return _dial(plan, base, _no_conninfo(conninfo, given))
            except Exception as error:
                if (waited := plan.pool()) is not None:
                    waited.login_failed(error)
                raise

    return Pool(plan, connection_class=Dialer, **options)


def async_pool(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
    """A ``psycopg_pool.AsyncConnectionPool``, to be opened with ``async with`` or ``await pool.open()``."""
    from ._pools import AsyncPool

    plan, options = _pooled(AsyncPool, target, client, kwargs)
    options.setdefault("open", False)
    base = options.pop("connection_class", psycopg.AsyncConnection)

    class Dialer(base):  # type: ignore[misc, valid-type]
        @classmethod
        async def connect(cls, conninfo: str = "", **given: Any) -> Any:
            try:
                return await _adial(plan, base, _no_conninfo(conninfo, given))
            except Exception as error:
                if (waited := plan.pool()) is not None:
                    await waited.login_failed(error)
                raise

    return AsyncPool(plan, connection_class=Dialer, **options)


def _pooled(
    kind: Any, target: str | None, client: Client | None, given: dict[str, Any]
) -> tuple[_Plan, dict[str, Any]]:
    """The plan of a pool and the pool's own options; what the first login needs is started meanwhile."""
    own = inspect.signature(kind.__base__.__init__).parameters.keys() - {"conninfo"}
    options = {name: value for name, value in given.items() if name in own}
    plan = _Plan(target, client, {name: value for name, value in given.items() if name not in own})
    # A moment less than the pool's own time, whose end would hide what went wrong.
    waits = float(options.get("timeout", inspect.signature(kind.__base__.__init__).parameters["timeout"].default))
    plan.budget = max(0.1, waits - min(0.3, waits / 10))
    options.setdefault("max_lifetime", MAX_LIFETIME)
    options.setdefault("check", kind.check_connection)
    telemetry.watch(plan.client)
    ahead = options.get("kwargs")
    plan.client._prepare(plan.merged(ahead if isinstance(ahead, dict) else {})[0])
    return plan, options


def _no_conninfo(conninfo: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"conninfo": conninfo, **given} if conninfo else given


def _dial(plan: _Plan, base: Any, given: dict[str, Any]) -> Any:
    steps, driver = plan.begin(given)
    outcome: Any = None
    attempt: Any = None
    try:
        while True:
            try:
                attempt = steps.next(*_said(outcome))
            except LakekeyError as error:
                raise _ended(plan, error, outcome)
            outcome = _attempt(base, attempt, driver, outcome)
            if not isinstance(outcome, psycopg.OperationalError):
                plan.done(steps)
                return outcome
            plan.note(outcome)
    finally:
        plan.under_way.discard(steps)
        # An exception that is a local of a frame in its own traceback would keep both, and the password with them.
        outcome = attempt = None


async def _adial(plan: _Plan, base: Any, given: dict[str, Any]) -> Any:
    steps, driver = plan.begin(given)
    outcome: Any = None
    attempt: Any = None
    try:
        while True:
            text, code = _said(outcome)
            try:
                attempt = await wait(lambda deliver: steps.start_next(deliver, text, code))
            except LakekeyError as error:
                raise _ended(plan, error, outcome)
            outcome = await _aattempt(base, attempt, driver, outcome)
            if not isinstance(outcome, psycopg.OperationalError):
                plan.done(steps)
                return outcome
            plan.note(outcome)
    finally:
        plan.under_way.discard(steps)
        # An exception that is a local of a frame in its own traceback would keep both, and the password with them.
        outcome = attempt = None


def _attempt(base: Any, attempt: Attempt, driver: dict[str, Any], before: BaseException | None) -> Any:
    """The connection, or the error as a value. No local holds the password in the clear: crash reporters show locals."""
    try:
        return base.connect(**{**attempt.kwargs(), **driver, "connect_timeout": _limit(attempt, driver)})
    except psycopg.OperationalError as error:
        return _kept(error, before)


async def _aattempt(base: Any, attempt: Attempt, driver: dict[str, Any], before: BaseException | None) -> Any:
    """As ``_attempt``."""
    try:
        return await base.connect(**{**attempt.kwargs(), **driver, "connect_timeout": _limit(attempt, driver)})
    except psycopg.OperationalError as error:
        return _kept(error, before)


def _limit(attempt: Attempt, driver: dict[str, Any]) -> int:
    """The attempt's time in whole seconds, as libpq wants them; the user's own limit, if it is shorter."""
    ours, given = int(attempt.kwargs()["connect_timeout"]), int(driver.get("connect_timeout") or 0)
    return min(ours, given) if given > 0 else ours


def _kept(error: psycopg.OperationalError, before: BaseException | None) -> psycopg.OperationalError:
    if error.sqlstate is not None:
        # psycopg knows no code while it connects: this is of what a connection class of the user's ran, and not ours.
        raise error
    if before is not None:
        # The last two are shown; a chain of all would grow with every try.
        before.__context__ = None
    error.with_traceback(None).__context__ = before
    return error


def _said(outcome: BaseException | None) -> tuple[str | None, str | None]:
    return (None, None) if outcome is None else (str(outcome), None)


def _ended(plan: _Plan, error: LakekeyError, outcome: psycopg.OperationalError | None) -> LakekeyError:
    """The error to raise when there is no next attempt."""
    if isinstance(error, LoginError):
        kind = LoginRefused if error.slug == "LOGIN_REFUSED" else LoginFailed
        failed = kind(error.message)
        # The connection and whatever else the driver notes, and what lakekey knows.
        vars(failed).update({**vars(outcome or error), **vars(error)})
        if outcome is not None:
            # psycopg knows no SQLSTATE of a refused login; this text is Postgres's own for one, others may be a proxy's.
            failed.sqlstate = "28P01" if "password authentication failed" in str(outcome) else None
        failed.__cause__ = outcome or error.__cause__
        error = failed
    plan.note(error)
    return error
