"""The types that the package ships are those of the code: mypy and stubtest say so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lakekey


def run(*arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_marked_as_typed() -> None:
    assert (Path(lakekey.__file__).parent / "py.typed").is_file()


def test_mypy_strict_finds_nothing(tmp_path: Path) -> None:
    run("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "-p", "lakekey", folder=tmp_path)


def test_the_native_modules_stub_is_true(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(f"[mypy]\ncache_dir = {tmp_path / 'cache'}\n")
    run("mypy.stubtest", "--mypy-config-file", "mypy.ini", "lakekey._lakekey", folder=tmp_path)
