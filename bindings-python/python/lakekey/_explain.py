"""What the error of any driver means for a login.

Drivers name the same refused login in a dozen ways, and pools hide it behind a timeout. What each name means is decided
in the core; this file only finds the name.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from . import _lakekey
from ._explanation import Explanation
from .errors import LakekeyError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Long enough for any chain that a program makes on purpose.
_DEEPEST = 20


def explain(error: BaseException | str) -> Explanation:
    """What an error of psycopg, asyncpg, psycopg2, pg8000, SQLAlchemy, Django or the system means for a login.

    The causes of an error are looked through as well, from the outermost to the innermost; the first that says anything
    counts. An error that no login would have is of the kind ``unknown``. A text is read as a driver's, such as a log's line.
    """
    if isinstance(error, str):
        return Explanation(*_lakekey.explain(error))
    last = Explanation(*_lakekey.explain(""))
    for one in _chain(error):
        if isinstance(one, LakekeyError):
            if one.explanation is not None:
                return one.explanation
            explanation = Explanation(*_lakekey.explain("", one.slug))
            if explanation.kind == "unknown":
                explanation = explanation._replace(retry=one.retryable, hint=one.hint)
                last = explanation if last.hint is None else last
                continue
            return explanation
        explanation = Explanation(*_lakekey.explain(*described(one)))
        if explanation.kind != "unknown":
            return explanation
    return last


def described(error: BaseException) -> tuple[str, str | None]:
    """The text of a driver's error, its type in front, and its code, if it has one."""
    return f"{type(error).__name__}: {error}", _code(error)


def _code(error: BaseException) -> str | None:
    for name in ("sqlstate", "pgcode"):
        code = getattr(error, name, None)
        if isinstance(code, str):
            return code
    fields: Any = error.args[0] if error.args else None
    if isinstance(fields, dict) and isinstance(fields.get("C"), str):
        return str(fields["C"])  # pg8000
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _DEEPEST:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        original = getattr(one, "orig", None)
        if isinstance(original, BaseException):
            # SQLAlchemy's own text has the statement in it, which may say anything.
            waiting.insert(0, original)
            continue
        yield one
        waiting += getattr(one, "exceptions", None) or ()
        waiting.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
