"""10,000 branches listed, each contender in processes of its own: how long it takes, and how much memory it needs."""

from __future__ import annotations

import json
import subprocess
import sys

from figures import ROUNDS, medians, row

PARENT = "projects/crowd"
BRANCHES = 10_000

LIST = """
import json, re, sys, time
from pathlib import Path

{setup}
pages(1)  # connects, authenticates, imports what is lazy


def peak() -> int:
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])


Path("/proc/self/clear_refs").write_text("5")
before = peak()
begun = time.perf_counter()
listed = pages(10**9)
took = time.perf_counter() - begun
print(json.dumps({{"ms": took * 1000, "kib": peak() - before, "listed": len(listed)}}))
"""
OURS = """
import itertools
import lakekey
client = lakekey.Client()
def pages(most): return list(itertools.islice(client.postgres.list_branches("%s", page_size=100), most))
""" % PARENT
THEIRS = """
import itertools
from databricks.sdk import WorkspaceClient
w = WorkspaceClient()
def pages(most): return list(itertools.islice(w.postgres.list_branches("%s", page_size=100), most))
""" % PARENT

memory: dict[str, list[int]] = {OURS: [], THEIRS: []}


def milliseconds(setup: str) -> float:
    said = subprocess.run([sys.executable, "-c", LIST.format(setup=setup)], capture_output=True, text=True, check=True)
    figures = json.loads(said.stdout)
    assert figures["listed"] == BRANCHES + 1, figures
    memory[setup].append(figures["kib"])
    return float(figures["ms"])


ours, theirs = medians(max(ROUNDS // 3, 1), lambda: milliseconds(OURS), lambda: milliseconds(THEIRS))
row("10,000 branches listed in Python", "ms", ours, "databricks-sdk", theirs, ratio=0.2)
kept = {setup: sorted(figures)[len(figures) // 2] / 1024 for setup, figures in memory.items()}
row("memory for 10,000 branches in Python", "MB", kept[OURS], "databricks-sdk", kept[THEIRS], ratio=0.2)
