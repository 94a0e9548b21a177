"""How late ``wait()`` notices that an operation has ended, for operations of different lengths, both clients side by side."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lakekey
import lakekey.postgres as ours
from databricks.sdk import WorkspaceClient
from databricks.sdk.common.types.fieldmask import FieldMask
from databricks.sdk.service import postgres as theirs
from figures import row

SECONDS = (0.3, 1, 3, 10, 30)

client = lakekey.Client()
workspace = WorkspaceClient()


def last(seconds: float) -> None:
    """Sets how long operations last from now on."""
    request = urllib.request.Request(
        os.environ["LAKEKEY_BENCH_ADMIN_URL"] + "/_emulator/operations",
        data=json.dumps({"delay_s": seconds}).encode(),
        headers={"Authorization": "Bearer " + os.environ["LAKEKEY_BENCH_ADMIN_TOKEN"]},
    )
    urllib.request.urlopen(request).close()


def with_lakekey(name: str) -> Any:
    project = ours.Project(spec=ours.ProjectSpec(display_name=name))
    return client.postgres.update_project("projects/ours", project)


def with_sdk(name: str) -> Any:
    project = theirs.Project(spec=theirs.ProjectSpec(display_name=name))
    return workspace.postgres.update_project("projects/theirs", project, FieldMask(["spec.display_name"]))


def late(begin: Callable[[str], Any], seconds: float) -> float:
    """Milliseconds from the operation's end until its wait returned."""
    begun = time.perf_counter()
    operation = begin(f"after {seconds} s")
    operation.wait()
    return max((time.perf_counter() - begun - seconds) * 1000, 0.1)


for seconds in SECONDS:
    last(seconds)
    with ThreadPoolExecutor() as both:
        figures = [each.result() for each in [both.submit(late, begin, seconds) for begin in (with_lakekey, with_sdk)]]
    row(f"wait() after an operation of {seconds:g} s", "ms late", figures[0], "databricks-sdk", figures[1], ratio=0.2)
last(0)
