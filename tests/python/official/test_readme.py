"""The Python and shell blocks of the README, run as they stand there. What a newcomer copies must work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import Emulator

ROOT = Path(__file__).resolve().parents[3]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


# `cargo xtask ...` runs these very tests, so it is not run from here.
SHELL = [line for block in blocks("sh") for line in block.splitlines() if line and not line.startswith("cargo xtask ")]


def test_there_are_blocks_to_run() -> None:
    assert len(blocks("python")) >= 1
    assert len(SHELL) >= 3


@pytest.mark.parametrize("code", blocks("python"))
def test_python(code: str, emulator: Emulator, tmp_path: Path) -> None:
    environment = emulator.environment(HOME=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert emulator.env["PGUSER"] in done.stdout


@pytest.mark.parametrize("line", SHELL)
def test_shell(line: str, emulator: Emulator, tmp_path: Path) -> None:
    command = Path(os.environ["LAKEKEY_BIN"])
    environment = emulator.environment(HOME=str(tmp_path), PATH=f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(["sh", "-c", line], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
