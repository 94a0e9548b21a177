"""What the bench scripts share: medians of interleaved rounds, and rows for the table that `cargo xtask bench` prints.

Rounds are interleaved (ours, peer, ours, peer, ...), so that a machine which gets slower meanwhile slows both.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable

ROUNDS = int(os.environ.get("LAKEKEY_BENCH_ROUNDS", "15"))


def medians(rounds: int, *contenders: Callable[[], float]) -> list[float]:
    """The median of each contender's figures. The first round warms caches and is thrown away."""
    figures: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds + 1):
        for contender, kept in zip(contenders, figures):
            figure = contender()
            if number:
                kept.append(figure)
    return [statistics.median(kept) for kept in figures]


def row(what: str, unit: str, ours: float, peer: str, theirs: float, **target: float) -> None:
    """One row. ``target`` is one of ``ratio``, ``difference`` and ``ours``: the most that it may be."""
    print(json.dumps({"what": what, "unit": unit, "ours": ours, "peer": peer, "theirs": theirs, "target": target}), flush=True)
