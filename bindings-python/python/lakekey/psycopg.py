"""psycopg 3 with credentials that rotate: its own connections and pools, each login with a current token.

The token is fetched for each physical connection, so a pool works on when one has expired. When Postgres refuses a token
that was in the cache, it is thrown away and the login is tried once more. Everything else about a connection is psycopg's
own: pass ``autocommit``, ``row_factory``, ``configure`` and the like as you would there.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import psycopg

from . import _lakekey
from ._default import default_client
from .errors import LoginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from ._client import Client
    from ._lakekey import Connect

__all__ = ["LoginRefused", "aconnect", "async_pool", "connect", "pool"]

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


class LoginRefused(LoginError, psycopg.OperationalError):
    """Postgres refused the login. Its text comes with the likeliest reason; the driver's error is the cause."""


class _Plan:
    """Where to log in and how, for every connection of a pool."""

    def __init__(self, target: str | None, client: Client | None, given: dict[str, Any]) -> None:
        self.client = client or default_client()
        self.wanted = {"target": target}
        self.driver: dict[str, Any] = {}
        _split(given, self.wanted, self.driver)

    def merged(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        wanted, driver = dict(self.wanted), dict(self.driver)
        _split(given, wanted, driver)
        return wanted, driver


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
    """A ``psycopg.Connection``. Keyword arguments are those of ``psycopg.connect``, and ``ttl``."""
    made: psycopg.Connection[Any] = _dial(_Plan(target, client, kwargs), psycopg.Connection, {})
    return made


async def aconnect(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> psycopg.AsyncConnection[Any]:
    """A ``psycopg.AsyncConnection``. Keyword arguments are those of ``psycopg.AsyncConnection.connect``, and ``ttl``."""
    made: psycopg.AsyncConnection[Any] = await _adial(_Plan(target, client, kwargs), psycopg.AsyncConnection, {})
    return made


def pool(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> ConnectionPool[psycopg.Connection[Any]]:
    """A ``psycopg_pool.ConnectionPool``. Keyword arguments are its own and those of ``psycopg.connect``.

    Connections are checked when they are taken out and recycled after 45 minutes, unless you say otherwise.
    """
    from psycopg_pool import ConnectionPool

    plan, options = _pooled(ConnectionPool, target, client, kwargs)
    # Said aloud, because psycopg_pool warns of pools that are opened unasked.
    options.setdefault("open", True)
    base = options.pop("connection_class", psycopg.Connection)

    class Dialer(base):  # type: ignore[misc, valid-type]
        @classmethod
        def connect(cls, conninfo: str = "", **given: Any) -> Any:
            return _dial(plan, base, _no_conninfo(conninfo, given))

    return ConnectionPool(connection_class=Dialer, **options)


def async_pool(
    target: str | None = None, *, client: Client | None = None, **kwargs: Any
) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
    """A ``psycopg_pool.AsyncConnectionPool``, to be opened with ``async with`` or ``await pool.open()``."""
    from psycopg_pool import AsyncConnectionPool

    plan, options = _pooled(AsyncConnectionPool, target, client, kwargs)
    options.setdefault("open", False)
    base = options.pop("connection_class", psycopg.AsyncConnection)

    class Dialer(base):  # type: ignore[misc, valid-type]
        @classmethod
        async def connect(cls, conninfo: str = "", **given: Any) -> Any:
            return await _adial(plan, base, _no_conninfo(conninfo, given))

    return AsyncConnectionPool(connection_class=Dialer, **options)


def _pooled(
    kind: Any, target: str | None, client: Client | None, given: dict[str, Any]
) -> tuple[_Plan, dict[str, Any]]:
    """The plan of a pool and the pool's own options; what the first login needs is started meanwhile."""
    own = inspect.signature(kind.__init__).parameters.keys() - {"conninfo"}
    options = {name: value for name, value in given.items() if name in own}
    plan = _Plan(target, client, {name: value for name, value in given.items() if name not in own})
    options.setdefault("max_lifetime", MAX_LIFETIME)
    options.setdefault("check", kind.check_connection)
    ahead = options.get("kwargs")
    plan.client._prepare(plan.merged(ahead if isinstance(ahead, dict) else {})[0])
    return plan, options


def _no_conninfo(conninfo: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"conninfo": conninfo, **given} if conninfo else given


def _dial(plan: _Plan, base: Any, given: dict[str, Any]) -> Any:
    wanted, driver = plan.merged(given)
    first = last = plan.client._connect(wanted)
    outcome = _attempt(base, first, driver)
    try:
        if _refuses_token(outcome) and _renewable(plan, first):
            last = plan.client._connect(wanted)
            if last.password != first.password:
                outcome = _attempt(base, last, driver)
        return _settled(outcome, last)
    finally:
        # An exception that is a local of a frame in its own traceback would keep both, and the password with them.
        del outcome, first, last


async def _adial(plan: _Plan, base: Any, given: dict[str, Any]) -> Any:
    wanted, driver = plan.merged(given)
    first = last = await plan.client._aconnect(wanted)
    outcome = await _aattempt(base, first, driver)
    try:
        if _refuses_token(outcome) and _renewable(plan, first):
            last = await plan.client._aconnect(wanted)
            if last.password != first.password:
                outcome = await _aattempt(base, last, driver)
        return _settled(outcome, last)
    finally:
        # An exception that is a local of a frame in its own traceback would keep both, and the password with them.
        del outcome, first, last


def _settled(outcome: Any, connect: Connect) -> Any:
    """The connection; an error is raised."""
    try:
        if not isinstance(outcome, psycopg.OperationalError):
            return outcome
        if _refuses_token(outcome):
            raise _explained(outcome, connect) from outcome
        raise outcome
    finally:
        del outcome


def _attempt(base: Any, connect: Connect, driver: dict[str, Any]) -> Any:
    """The connection, or the error as a value. No local holds the password in the clear: crash reporters show locals."""
    failures: list[psycopg.OperationalError] = []
    for address in _addresses(connect, driver):
        try:
            return base.connect(**{**connect.kwargs(), **driver, **address})
        except psycopg.OperationalError as error:
            failures.append(error.with_traceback(None))
            if error.pgconn is not None and "FATAL" in str(error):
                return error  # A server answered: the next address leads to the same one.
    return _all_failed(failures)


async def _aattempt(base: Any, connect: Connect, driver: dict[str, Any]) -> Any:
    """As ``_attempt``."""
    failures: list[psycopg.OperationalError] = []
    for address in _addresses(connect, driver):
        try:
            return await base.connect(**{**connect.kwargs(), **driver, **address})
        except psycopg.OperationalError as error:
            failures.append(error.with_traceback(None))
            if error.pgconn is not None and "FATAL" in str(error):
                return error  # A server answered: the next address leads to the same one.
    return _all_failed(failures)


def _addresses(connect: Connect, driver: dict[str, Any]) -> list[dict[str, Any]]:
    """What is the address's own, for each in turn. psycopg would try the next one after a refused login as well."""
    merged = {**connect.kwargs(), **driver}
    lists = {name: merged[name].split(",") for name in ("host", "hostaddr", "port") if merged.get(name)}
    return [
        {name: values[min(index, len(values) - 1)] for name, values in lists.items()}
        for index in range(max(map(len, lists.values()), default=1))
    ]


def _all_failed(failures: list[psycopg.OperationalError]) -> psycopg.OperationalError:
    last = failures[-1]
    if len(failures) == 1:
        return last
    for earlier, later in zip(failures, failures[1:]):
        later.__context__ = earlier
    text = "\n".join(["no address of the server could be connected:", *(f"- {error}" for error in failures)])
    whole = type(last)(text)
    # Its connection and whatever else the driver notes.
    vars(whole).update(vars(last))
    whole.__cause__ = last
    return whole


def _refuses_token(outcome: Any) -> bool:
    return isinstance(outcome, psycopg.OperationalError) and _lakekey.refuses_token(str(outcome), outcome.sqlstate)


def _renewable(plan: _Plan, connect: Connect) -> bool:
    """Whether another token may help: not if this one was minted for this very login."""
    if not connect.cached:
        return False
    plan.client.invalidate(connect.password)
    return True


def _explained(error: psycopg.OperationalError, connect: Connect) -> LoginRefused:
    said = _lakekey.login_error(_server_text(error), error.sqlstate, connect.user, connect.subject)
    refused = LoginRefused(said.message, code=said.code, slug=said.slug, hint=said.hint, retryable=said.retryable)
    # psycopg knows no SQLSTATE of a refused login; this text is Postgres's own for one, other texts may be a proxy's.
    refused.sqlstate = error.sqlstate or ("28P01" if "password authentication failed" in str(error) else None)
    return refused


def _server_text(error: psycopg.OperationalError) -> str:
    """The server's own line of psycopg's text."""
    text = str(error)
    at = text.find("FATAL:")
    return text[at:] if at >= 0 else text
