"""The client: the native one with its ``async`` methods and its friendly constructor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from . import _lakekey

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ._lakekey import Connect, Credential, Pending
    from .postgres import AsyncPostgres, Postgres

    Seconds = float | timedelta


class ConnectOptions(TypedDict, total=False):
    """What a connection may differ in. Whatever is left out comes from ``PG*`` variables, else from the workspace."""

    database: str | None
    user: str | None
    port: int | None
    sslmode: str | None
    sslrootcert: str | None
    ttl: Seconds | None
    timeout: Seconds | None


class Client(_lakekey.Client):
    """Mints, keeps and rotates database credentials.

    Making one does no I/O and starts no thread. Settings have their Databricks names; those that are left out come from
    the environment and from ``~/.databrickscfg``. A client is safe to share between threads, event loops and forked
    processes.

    ``shared_credentials`` lets the processes of one user on one host share credentials: ``"on"`` (through files below
    ``XDG_RUNTIME_DIR``), the absolute path of a directory, either after ``required:``, or ``"off"``. Without it the variable
    ``LAKEKEY_SHARED_CREDENTIALS`` says so.

    Durations are seconds or a ``timedelta``. ``timeout`` is the budget of a call that names none.
    """

    def __new__(
        cls,
        *,
        target: str | None = None,
        host: str | None = None,
        token: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        profile: str | None = None,
        config_file: str | None = None,
        auth_type: str | None = None,
        token_provider: object = None,
        timeout: Seconds | None = None,
        product: str | None = None,
        shared_credentials: str | None = None,
        **attributes: str | None,
    ) -> Self:
        provider = None
        if token_provider is not None:
            from ._provider import adapt, host_of

            provider = adapt(token_provider)
            host = host or host_of(token_provider)
        named = {
            "host": host,
            "token": token,
            "client_id": client_id,
            "client_secret": client_secret,
            "profile": profile,
            "config_file": config_file,
            "auth_type": auth_type,
            **attributes,
        }
        settings = [(name, value) for name, value in named.items() if value is not None]
        return super().__new__(cls, settings, target, timeout, product, provider, None, shared_credentials)

    def as_user(self, token: str) -> Client:
        """A client that is the user of this token, such as the one in an app's ``X-Forwarded-Access-Token`` header.

        It has credentials of its own, never falls back to the app's identity, and ends with the token. The 1000 users of
        the last calls are kept, so call it anew for each request.
        """
        return _lakekey.Client.__new__(Client, [], None, None, None, None, (self, token))

    @property
    def postgres(self) -> Postgres:
        """The management API: projects, branches, endpoints, roles and the rest."""
        from .postgres import Postgres

        return Postgres(self)

    @property
    def apostgres(self) -> AsyncPostgres:
        """As ``postgres``, for asyncio."""
        from .postgres import AsyncPostgres

        return AsyncPostgres(self)

    def connect_params(self, target: str | None = None, **options: Unpack[ConnectOptions]) -> dict[str, str]:
        """Keyword arguments for ``psycopg.connect`` and other users of libpq, good for one login."""
        return self._connect({"target": target, **options}).kwargs()

    def conninfo(self, target: str | None = None, **options: Unpack[ConnectOptions]) -> str:
        """The same as a connection string. The token is in it: do not log it."""
        return self._connect({"target": target, **options}).conninfo()

    async def atoken(
        self, target: str | None = None, *, ttl: Seconds | None = None, timeout: Seconds | None = None
    ) -> str:
        """As ``token``, without blocking the event loop."""
        here = self._peek(target) if ttl is None else None
        return here or (await self.acredential(target, ttl=ttl, timeout=timeout)).token

    async def acredential(
        self, target: str | None = None, *, ttl: Seconds | None = None, timeout: Seconds | None = None
    ) -> Credential:
        """As ``credential``, without blocking the event loop."""
        credential: Credential = await wait(lambda deliver: self._start_credential(deliver, target, ttl, timeout))
        return credential

    async def aconnect_params(self, target: str | None = None, **options: Unpack[ConnectOptions]) -> dict[str, str]:
        """As ``connect_params``, without blocking the event loop."""
        return (await self._aconnect({"target": target, **options})).kwargs()

    async def aconninfo(self, target: str | None = None, **options: Unpack[ConnectOptions]) -> str:
        """As ``conninfo``, without blocking the event loop."""
        return (await self._aconnect({"target": target, **options})).conninfo()

    async def _aconnect(self, wanted: dict[str, Any]) -> Connect:
        connect: Connect = await wait(lambda deliver: self._start_connect(deliver, wanted))
        return connect

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def wait(start: Callable[[Callable[[Any, Exception | None], None]], Pending]) -> Any:
    # asyncio is imported late: programs without it need not pay for it.
    import asyncio

    loop = asyncio.get_running_loop()
    future: Future[Any] = loop.create_future()

    def deliver(value: Any, error: Exception | None) -> None:
        try:
            loop.call_soon_threadsafe(_settle, future, value, error)
        except RuntimeError:
            pass  # The loop was closed meanwhile: nobody waits any more.

    pending = start(deliver)
    # The loop's own clock, should lakekey's threads be stuck.
    timer = loop.call_later(pending.patience, lambda: _settle(future, None, pending.late()))
    try:
        return await future
    finally:
        timer.cancel()
        # A cancelled task ends its own wait; a mint that others wait for as well goes on.
        pending.cancel()


def _settle(future: Future[Any], value: Any, error: Exception | None) -> None:
    _lakekey.hand_over()
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
