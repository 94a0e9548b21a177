"""What importing costs, in time and memory: ours against the driver alone and against the official SDK."""

from __future__ import annotations

import subprocess
import sys

from figures import ROUNDS, medians, row

PROGRAM = """
import sys, time
begun = time.perf_counter()
import {module}
took = time.perf_counter() - begun
with open("/proc/self/status") as status:
    memory = next(line for line in status if line.startswith("VmRSS:")).split()[1]
print(took * 1000, int(memory) / 1024)
"""


def importing(module: str, figure: int) -> float:
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[figure])


for figure, unit, what, extra in ((0, "ms", "import time", 15.0), (1, "MB", "import memory", 5.0)):
    ours, driver, sdk = medians(
        ROUNDS,
        lambda: importing("lakekey.psycopg", figure),
        lambda: importing("psycopg", figure),
        lambda: importing("databricks.sdk", figure),
    )
    row(f"{what}: lakekey.psycopg", unit, ours, "psycopg", driver, difference=extra)
    row(f"{what}: lakekey.psycopg", unit, ours, "databricks.sdk", sdk)
