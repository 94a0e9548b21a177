"""The dialect of the configuration file beside the official Go SDK, which reads it as the Databricks CLI does: each way to write a
value, a key or a section gives both the same credential, but for those that lakekey reads otherwise on purpose.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from auth.recorder import Recorder
from auth.test_witness import Witness, given, of_lakekey, recorder, sent  # noqa: F401

VALUES = """plain|"q"|'q'|"q|q"|"a"b"|"a" b|'a"|"a # b"|"a" # b|a # b # c|a ; b # c|a # b ; c|a; b|a ;b|a #b|#a|;a| # a|`a # b`|a`|`a`b`
`a` # x|\"\"\"a\"\"\"|\"\"\"a\"\"\" x|""|"|''|a\\b|a\\n|a=b|a:b|=a|:a|%(host)s|%Y#X$Z|$HOME|${x}|a  b|a,b|\"a\"|a\\#b|[a]|a "b" c|"'a'b'"|x"y"|"x"y"""
FILES = {
    "a blank in a section's name": "[ dev ]\nHOST\ntoken = t\n",
    "a note after a section": "[dev] # c\nHOST\ntoken = t\n",
    "a text after a section": "[dev] x\nHOST\ntoken = t\n",
    "quotes around a section's name": '["dev"]\nHOST\ntoken = t\n',
    "another case": "[DEV]\nHOST\ntoken = t\n",
    "a key without a value": "[dev]\nHOST\ntoken = t\nflag\n",
    "a value without a key": "[dev]\nHOST\ntoken = t\n= x\n",
    "a key in quotes": '[dev]\nHOST\n"token" = t\n',
    "a key in backticks": "[dev]\nHOST\n`token` = t\n",
    "a section in two parts": "[dev]\nHOST\n[x]\n[dev]\ntoken=t\n",
    "a key emptied later": "[dev]\nHOST\ntoken=t\ntoken=\n",
    "ends of lines of Windows": "[dev]\r\nHOST\r\ntoken = t\r\n",
    "indented lines": "  [dev]\n   HOST\n\ttoken = t\n",
    "an indented note": "[dev]\nHOST\n  # token = x\ntoken = t\n",
    "DEFAULT is not inherited": "[DEFAULT]\nHOST\n[dev]\ntoken = t\n",
    "no end of the last line": "[dev]\nHOST\ntoken = t",
    "a switch that is junk": "[dev]\nHOST\ntoken = t\nazure_use_msi = perhaps\n",
    "a switch that is off": "[dev]\nHOST\ntoken = t\nazure_use_msi = FALSE\n",
}
# A broken line hurts its own section only, and a secret may end in a backslash.
OURS = {
    "a broken line elsewhere": "[x]\nbroken\n[dev]\nHOST\ntoken = t\n",
    "a section without its bracket": "[dev]\nHOST\ntoken = t\n[x\na=1\n",
    "a section without a name": "[dev]\nHOST\ntoken = t\n[]\na=1\n",
    "a backslash at the end": "[dev]\nHOST\ntoken = t\\\nhost2 = x\n",
    "a backtick that is open": "[dev]\nHOST\ntoken = `t\n",
}


def both(text: str, recorder: Recorder, go: Witness, home: Path) -> tuple[list[str], list[str]]:  # noqa: F811
    (home / ".databrickscfg").write_bytes(text.replace("HOST", f"host = {recorder.url}").encode())
    env = {"HOME": str(home), "PATH": str(home / "none"), "DATABRICKS_CONFIG_PROFILE": "dev"}
    _, ours, _, _ = of_lakekey(env, recorder)
    go.ask(env)
    return ours, sent(recorder)[0]


def test_a_file_says_to_lakekey_what_it_says_to_the_cli(recorder: Recorder, tmp_path: Path) -> None:  # noqa: F811
    go = Witness([given("LAKEKEY_GO_WITNESS")])
    passwords = [value for line in VALUES.splitlines() for value in line.split("|")]
    assert len(passwords) > 40
    files = {value: f"[dev]\nHOST\nusername = u\npassword = {value}\n" for value in passwords} | FILES
    read = 0
    for what, text in files.items():
        ours, theirs = both(text, recorder, go, tmp_path)
        assert ours == theirs, what
        read += len(ours)
    assert read > 40, "most of them give a credential"
    for what, text in OURS.items():
        ours, theirs = both(text, recorder, go, tmp_path)
        assert ours != theirs, f"no difference any more: {what}"
        assert len(ours) == 1, what
    go.end()
