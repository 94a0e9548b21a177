"""What is counted, for whoever collects it through OpenTelemetry.

It goes through ``opentelemetry-api``, which is looked for at the first pool and not needed: without it nothing happens. No
attribute has a text of SQL, a user or a host, and whatever the collecting side does, a login goes on as without it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ._lakekey import __version__
from .errors import LakekeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._client import Client

# Name, description, and where it stands in ``Client.stats``; with an attribute's name, each of its counts has one.
_COUNTERS: list[tuple[str, str, str, str | None]] = [
    ("lakekey.credential.mints", "Database credentials minted", "mints", None),
    ("lakekey.credential.refreshes", "Of these, those minted ahead of time", "refreshes", None),
    ("lakekey.credential.cache_hits", "Credentials handed out that were there already", "cache_hits", None),
    ("lakekey.credential.waits", "Calls that waited for a credential", "waits", None),
    ("lakekey.credential.invalidations", "Refused credentials thrown away", "invalidations", None),
    ("lakekey.credential.mint_failures", "Requests to mint that failed", "mint_failures", "error.code"),
    ("lakekey.login.attempts", "Logins tried", "login_attempts", None),
    ("lakekey.logins", "Logins that succeeded", "logins", None),
    ("lakekey.login.failures", "Logins tried that failed", "login_failures", "lakekey.login.kind"),
    ("lakekey.failures", "Calls and connects that failed", "failures", "error.code"),
]
_SUMS = [
    ("lakekey.credential.mint.time", "Time that requests to mint took", "mint_ms", "ms"),
    ("lakekey.credential.wait.time", "Time that calls waited for a credential", "wait_ms", "ms"),
    ("lakekey.credential.age", "Age of the credentials that were handed out, added up", "token_age_s", "s"),
    ("lakekey.login.time", "Time that successful connects took", "connect_ms", "ms"),
]

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_watched = False


def watch(client: Client) -> None:
    """Shows the counts of this process, which all its clients share, from now on."""
    global _watched
    _clients.add(client)
    if _watched:
        return
    _watched = True
    try:
        from opentelemetry import metrics
    except ImportError:
        return
    try:
        _register(metrics)
    except Exception:
        # Whoever collects finds out by what is missing: nothing that is recorded is worth a pool.
        return


def _register(metrics: Any) -> None:
    meter = metrics.get_meter("lakekey", __version__)

    def observed(read: Callable[[dict[str, Any]], Iterator[tuple[int, dict[str, str]]]]) -> Callable[[Any], list[Any]]:
        def callback(_options: Any) -> list[Any]:
            stats = _counted()
            return [] if stats is None else [metrics.Observation(value, attributes) for value, attributes in read(stats)]

        return callback

    for name, description, key, attribute in _COUNTERS:
        meter.create_observable_counter(name, [observed(_counter(key, attribute))], description=description, unit="1")
    for name, description, key, unit in _SUMS:
        meter.create_observable_counter(name, [observed(_sum(key))], description=description, unit=unit)


def _counted() -> dict[str, Any] | None:
    """The counts of the process, by any client that is still open."""
    for client in tuple(_clients):
        try:
            return client.stats()
        except LakekeyError:
            # It was closed.
            _clients.discard(client)
    return None


def _counter(key: str, attribute: str | None) -> Callable[[dict[str, Any]], Iterator[tuple[int, dict[str, str]]]]:
    def read(stats: dict[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
        if attribute is None:
            yield stats[key], {}
        else:
            for label, count in stats[key].items():
                yield count, {attribute: label}

    return read


def _sum(key: str) -> Callable[[dict[str, Any]], Iterator[tuple[int, dict[str, str]]]]:
    def read(stats: dict[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
        yield stats["histograms"][key]["sum"], {}

    return read
