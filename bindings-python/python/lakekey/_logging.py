"""The bridge to Python's logging: lakekey's records appear under the logger ``lakekey``.

Nothing is configured here. Which records are collected is looked up when a client is made.
"""

from __future__ import annotations

import logging


def wanted() -> int:
    """The level that the logger ``lakekey`` wants to see."""
    logger = logging.getLogger("lakekey")
    return logging.CRITICAL + 1 if logger.disabled else logger.getEffectiveLevel()


def emit(records: list[tuple[int, float, str, str]], dropped: int) -> None:
    """Hands records over as if they had been logged when and where they arose."""
    for level, created, source, text in records:
        logger = logging.getLogger(source.replace("::", "."))
        if logger.isEnabledFor(level):
            record = logger.makeRecord(logger.name, level, "lakekey", 0, text, (), None)
            record.created = created
            record.msecs = created % 1 * 1000
            logger.handle(record)
    if dropped:
        logging.getLogger("lakekey").warning("%d log records of lakekey were dropped", dropped)
