"""What users give as ``token_provider``, made into one plain callable.

Accepted are a function or coroutine function that returns a workspace token, or the token and its expiry; and a
``WorkspaceClient`` or ``Config`` of databricks-sdk, whose own authentication is then used.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._lakekey import Answer

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def adapt(provider: object) -> Callable[[Answer], None]:
    """A callable that asks the provider, on a thread of Python's that no exit waits for."""
    source = _source(provider)

    def run(answer: Answer) -> None:
        try:
            given = source()
            if inspect.isawaitable(given):
                given = _run(given)
            answer.token(*_token(given))
        except BaseException as error:
            place = _place(error)
            _forget_frames(error)
            answer.raised(error, place)

    def ask(answer: Answer) -> None:
        threading.Thread(target=run, args=(answer,), name="lakekey-provider", daemon=True).start()

    return ask


def _place(error: BaseException) -> str:
    """Where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""


def _forget_frames(error: BaseException) -> None:
    """The failure is remembered for a while, and frames hold their locals: a secret may be among them."""
    found: list[BaseException] = [error]
    for one in found:
        one.__traceback__ = None
        found += [other for other in (one.__cause__, one.__context__) if other is not None and other not in found]


def host_of(provider: object) -> str | None:
    """The workspace that an SDK client or config is for."""
    config = _config(provider)
    host = getattr(config, "host", None)
    return host if isinstance(host, str) and host else None


def _config(provider: object) -> object | None:
    for config in (provider, getattr(provider, "config", None)):
        if config is not None and callable(getattr(config, "authenticate", None)):
            return config
    return None


def _source(provider: object) -> Callable[[], object]:
    config: Any = _config(provider)
    if config is not None:
        return lambda: _bearer(config.authenticate())
    if callable(provider):
        return provider
    raise TypeError(
        "token_provider must be a callable that returns a workspace token, or a databricks-sdk WorkspaceClient or "
        f"Config, not {type(provider).__name__}"
    )


def _bearer(headers: object) -> str:
    if isinstance(headers, Mapping):
        for name, value in headers.items():
            scheme, _, token = str(value).partition(" ")
            if str(name).lower() == "authorization" and scheme.lower() == "bearer":
                return token
    raise TypeError("the SDK's authenticate() gave no Authorization header with a bearer token")


def _run(given: Awaitable[object]) -> object:
    # A loop of its own: the caller's may be the very one that is blocked by a synchronous call.
    import asyncio

    async def answer() -> object:
        return await given

    return asyncio.run(answer())


def _token(given: object) -> tuple[str, int | None]:
    if isinstance(given, str):
        return given, None
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return given[0], _millis(given[1])
    raise TypeError(f"token_provider must return a str or a tuple (str, expiry), not {type(given).__name__}")


def _millis(expiry: object) -> int | None:
    if expiry is None:
        return None
    if isinstance(expiry, datetime):
        if expiry.tzinfo is None:
            raise TypeError("the expiry from token_provider is a datetime without a time zone")
        return (expiry - EPOCH) // timedelta(milliseconds=1)
    if isinstance(expiry, (int, float)):
        return int(expiry * 1000)
    raise TypeError(
        "the expiry from token_provider must be an aware datetime, seconds since 1970 or None, "
        f"not {type(expiry).__name__}"
    )
