"""What an error means for a login, as ``lakekey.explain`` says it and as errors carry it."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """What an error means for a login. ``kind`` never changes its meaning; hints may."""

    kind: str
    """The kind of trouble, such as ``role_missing`` or ``endpoint_waking``; ``unknown`` for what is not known."""
    retry: bool
    """Whether another try may succeed."""
    budget: str
    """For how long another try is worth it: ``never``, ``once``, ``short``, ``wake``, ``connect`` or ``branch``."""
    invalidate: bool
    """Whether the cached token has to be thrown away first."""
    hint: str | None
    """The likeliest fix."""
