"""The management API: ``lakekey.Client().postgres``, with the names of the Databricks SDK's ``w.postgres``.

Methods and messages are generated from one description of the API. Messages keep what this version does not know, and an
enum's unknown value is its text, so that a newer service breaks nothing.
"""

from ._generated import *  # noqa: F403
from ._generated import __all__ as _generated
from ._message import Message
from ._operation import AsyncOperation, Operation, Progress
from ._service import AsyncPostgres, Postgres

__all__ = [*_generated, "AsyncOperation", "AsyncPostgres", "Message", "Operation", "Postgres", "Progress"]
