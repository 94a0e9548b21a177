"""Every error of lakekey, as classes with stable codes.

``code`` and ``slug`` never change their meaning; messages may. A family has a class of its own, so that ``except
lakekey.AuthError`` catches whatever is wrong with the identity.
"""

from __future__ import annotations

from typing import Any

from ._explanation import Explanation

__all__ = [
    "ApiError",
    "AuthError",
    "CancelledError",
    "ClosedError",
    "ConfigError",
    "ConninfoError",
    "CredentialError",
    "InternalError",
    "LakekeyError",
    "LakekeyTimeout",
    "LoginError",
    "ResolveError",
    "TargetError",
    "TransportError",
]


class LakekeyError(Exception):
    """What went wrong, where it came from and what to do about it."""

    def __init__(
        self,
        message: str,
        *,
        code: int = 1990,
        slug: str = "INTERNAL",
        hint: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        causes: tuple[str, ...] = (),
        explanation: Explanation | None = None,
        events: tuple[str, ...] = (),
        api_code: str | None = None,
        details: tuple[dict[str, Any], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        """What went wrong, without the hint."""
        self.code = code
        """The stable number; its hundreds name the family."""
        self.slug = slug
        """The stable name, such as ``AUTH_DENIED``."""
        self.hint = hint
        """What you can do about it."""
        self.http_status = http_status
        """The status of the workspace's answer, if one came."""
        self.request_id = request_id
        """The workspace's id of the request, for a support case."""
        self.retryable = retryable
        """Whether the same call may succeed later with nothing changed."""
        self.causes = causes
        """The messages of the causes, outermost first."""
        self.explanation = explanation
        """What it means for a login, if it is about one."""
        self.events = events
        """What happened in this process before it, oldest first, each with its time. No secrets."""
        self.api_code = api_code
        """What the service itself calls it, such as ``ALREADY_EXISTS``."""
        self.details = details
        """What the service says besides: objects with their type in ``@type``."""

    def __str__(self) -> str:
        lines = [self.message if self.hint is None else f"{self.message}. {self.hint}"]
        lines += [f"caused by: {cause}" for cause in self.causes]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message,), self.__dict__


class ConfigError(LakekeyError):
    """The configuration is incomplete, contradictory or wrong."""


class AuthError(LakekeyError):
    """The workspace does not accept the identity, or there is none."""


class TargetError(LakekeyError):
    """The database is not named, not found, or not ready."""


class TransportError(LakekeyError):
    """The workspace could not be reached, or gave no usable answer."""


class ApiError(LakekeyError):
    """The workspace refused the request."""


class CredentialError(LakekeyError):
    """No usable database credential."""


class ConninfoError(LakekeyError):
    """A connection string or parameter is wrong."""


class ResolveError(LakekeyError):
    """The database's host name has no address."""


class LoginError(LakekeyError):
    """Postgres refused the login."""


class LakekeyTimeout(LakekeyError, TimeoutError):
    """The call's own time limit passed."""


class CancelledError(LakekeyError):
    """The call was cancelled."""


class ClosedError(LakekeyError):
    """The client was closed."""


class InternalError(LakekeyError):
    """A defect of lakekey."""


FAMILIES: dict[int, type[LakekeyError]] = {
    10: ConfigError,
    11: AuthError,
    12: TargetError,
    13: TransportError,
    14: ApiError,
    15: CredentialError,
    16: ConninfoError,
    17: ResolveError,
    18: LoginError,
}
"""The class of a code by its hundreds."""

SINGLES: dict[int, type[LakekeyError]] = {
    1901: LakekeyTimeout,
    1902: CancelledError,
    1903: ClosedError,
    1904: ClosedError,
    1990: InternalError,
    1991: InternalError,
}
"""The classes of the last family, whose codes have nothing in common."""


def class_of(code: int) -> type[LakekeyError]:
    """The class for a code; the base class for one of a later release."""
    return SINGLES.get(code) or FAMILIES.get(code // 100, LakekeyError)


def from_native(
    code: int,
    slug: str,
    message: str,
    hint: str | None,
    http_status: int | None,
    request_id: str | None,
    retryable: bool,
    causes: list[str],
    login: tuple[str, bool, str, bool, str | None] | None = None,
    events: list[str] | None = None,
    api_code: str | None = None,
    details: str | None = None,
) -> LakekeyError:
    """Makes the exception that the native module raises."""
    return class_of(code)(
        message,
        code=code,
        slug=slug,
        hint=hint,
        http_status=http_status,
        request_id=request_id,
        retryable=retryable,
        causes=tuple(causes),
        explanation=None if login is None else Explanation(*login),
        events=tuple(events or ()),
        api_code=api_code,
        details=() if details is None else _read(details),
    )


def _read(details: str) -> tuple[dict[str, Any], ...]:
    # Few errors have details, and programs that see none need not pay for it.
    import json

    return tuple(json.loads(details))
