"""The functions of the package: those of one client that is made from the environment at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._client import Client

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._client import ConnectOptions, Seconds
    from ._lakekey import Credential

_made: list[Client] = []


def default_client() -> Client:
    """The client of the functions below."""
    if not _made:
        # No lock, which a fork could leave locked: a client costs nothing, and the first one in the list is the one.
        _made.append(Client())
    return _made[0]


def credential(target: str | None = None, *, ttl: Seconds | None = None, timeout: Seconds | None = None) -> Credential:
    """A database credential with its times and identity."""
    return default_client().credential(target, ttl=ttl, timeout=timeout)


def connect_params(target: str | None = None, **options: Unpack[ConnectOptions]) -> dict[str, str]:
    """Keyword arguments for ``psycopg.connect`` and other users of libpq, good for one login."""
    return default_client().connect_params(target, **options)


def conninfo(target: str | None = None, **options: Unpack[ConnectOptions]) -> str:
    """The same as a connection string. The token is in it: do not log it."""
    return default_client().conninfo(target, **options)


async def atoken(target: str | None = None, *, ttl: Seconds | None = None, timeout: Seconds | None = None) -> str:
    """As ``token``, without blocking the event loop."""
    return await default_client().atoken(target, ttl=ttl, timeout=timeout)


async def acredential(
    target: str | None = None, *, ttl: Seconds | None = None, timeout: Seconds | None = None
) -> Credential:
    """As ``credential``, without blocking the event loop."""
    return await default_client().acredential(target, ttl=ttl, timeout=timeout)


async def aconnect_params(target: str | None = None, **options: Unpack[ConnectOptions]) -> dict[str, str]:
    """As ``connect_params``, without blocking the event loop."""
    return await default_client().aconnect_params(target, **options)


async def aconninfo(target: str | None = None, **options: Unpack[ConnectOptions]) -> str:
    """As ``conninfo``, without blocking the event loop."""
    return await default_client().aconninfo(target, **options)
