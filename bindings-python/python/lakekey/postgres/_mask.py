"""Update masks in the forms that people have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Paths(Protocol):
    @property
    def paths_of(self) -> Iterable[str]: ...


if TYPE_CHECKING:
    Mask = str | Iterable[str] | _Paths


def paths_of(mask: Mask | None) -> str | list[str] | None:
    """A text, paths, or the ``FieldMask`` of an SDK."""
    if mask is None or isinstance(mask, str):
        return mask
    given: Any = mask
    return list(getattr(given, "paths", given))
