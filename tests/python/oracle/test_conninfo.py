"""libpq itself judges our parser and renderers: same strings accepted, same fields, and it reads back what we write.

The strings are ``tests/oracle/conninfo.json``; the libpq is the one inside psycopg's wheel, which must be 18, the
version that our parser follows. All strings go through one process, NUL between them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from psycopg import OperationalError, pq

STRINGS: list[str] = json.loads((Path(__file__).parents[2] / "oracle" / "conninfo.json").read_text("utf-8"))


def libpq(text: str) -> dict[str, str] | None:
    """The fields as libpq reads them, or ``None`` where it refuses the string.

    libpq carries bytes and we carry text: percent-encoded bytes that are no UTF-8 count as refused. It is the one
    difference.
    """
    try:
        options = pq.Conninfo.parse(text.encode())
        return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}
    except (OperationalError, UnicodeDecodeError):
        return None


def lakekey(*arguments: str, strings: list[str]) -> list[dict[str, object]]:
    """What ``lakekey conninfo ... --null -`` says of each string."""
    command = os.environ.get("LAKEKEY_BIN")
    assert command, "LAKEKEY_BIN names no lakekey binary; run the tests by `cargo xtask test`"
    done = subprocess.run(
        [command, "conninfo", *arguments, "--null", "-"],
        input="\0".join(strings).encode() + b"\0",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 2), done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(strings)
    return answers


def disagreements(strings: list[str]) -> list[str]:
    """Where libpq and we differ, as lines to read."""
    found = []
    for text, ours in zip(strings, lakekey("parse", "--output", "json", "--with-token", strings=strings), strict=True):
        theirs = libpq(text)
        if ("error" in ours) != (theirs is None) or ("error" not in ours and ours != theirs):
            found.append(f"{text!r}\n  libpq   {theirs}\n  lakekey {ours}")
    return found


@pytest.fixture(scope="module", autouse=True)
def libpq_is_the_one_we_follow() -> None:
    assert pq.version() // 10000 == 18, f"psycopg brings libpq {pq.version()}"


def test_the_corpus_is_large_and_has_both_grammars_good_and_bad() -> None:
    assert len(set(STRINGS)) == len(STRINGS) >= 300
    uris = [text for text in STRINGS if text.startswith(("postgres://", "postgresql://"))]
    pairs = [text for text in STRINGS if text not in uris]
    for part in (uris, pairs):
        accepted = sum(libpq(text) is not None for text in part)
        assert accepted >= 100 and len(part) - accepted >= 30, (accepted, len(part))


def test_every_string_is_read_as_libpq_reads_it() -> None:
    assert disagreements(STRINGS) == []


def test_strings_nobody_thought_of_are_read_as_libpq_reads_them() -> None:
    """Pieces of both grammars in random order; the seed is fixed, so that a failure stays one."""
    dice = random.Random(20261122)
    pieces = [
        *"abu:/@?&=%,[] '\\#+", "\t", "\n", "\u00e9", "%20", "%2F", "%41", "%zz", "::1", "[::1]", "host", "port", "user",
        "password", "dbname", "sslmode", "ssl", "true", "require", "requiressl", "=1", "='a b'", " user=", "?user=",
        "&dbname=", "5432", "h1,h2", "u:p@", "/db",
    ]  # fmt: skip
    heads = ["", "", "postgresql://", "postgres://", "postgresql://h/d?", "postgresql://u:p@", "user=a "]
    strings = [
        dice.choice(heads) + "".join(dice.choice(pieces) for _ in range(dice.randrange(1, 9))) for _ in range(20_000)
    ]
    found = disagreements(strings)
    assert found == [], "\n".join(found[:10])


def test_the_keywords_are_those_of_libpq_in_its_own_names() -> None:
    known = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
    answers = lakekey("parse", "--output", "json", "--with-token", strings=[f"{keyword}=x" for keyword in known])
    assert answers == [{keyword: "x"} for keyword in known]


@pytest.mark.parametrize("form", ["uri", "keyword"])
def test_libpq_reads_back_what_we_write(form: str) -> None:
    accepted = [text for text in STRINGS if libpq(text) is not None]
    written = lakekey("convert", "--to", form, "--with-token", strings=accepted)
    for text, ours in zip(accepted, written, strict=True):
        before, after = libpq(text), libpq(str(ours["text"]))
        assert before is not None and after is not None, (text, ours)
        if form == "uri" and "port" not in before and not after.get("port", "x").strip(","):
            # A URI with several hosts and no ports is read as several empty ports, which means the same.
            del after["port"]
        assert after == before, (text, ours)


@pytest.mark.parametrize("form", ["uri", "keyword", "json"])
def test_secrets_are_written_only_when_asked_for(form: str) -> None:
    accepted = [text for text in STRINGS if libpq(text) is not None]
    for text, ours in zip(accepted, lakekey("convert", "--to", form, strings=accepted), strict=True):
        written = str(ours["text"])
        fields = json.loads(written) if form == "json" else libpq(written)
        assert fields is not None
        secrets = {"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}
        assert not secrets & fields.keys(), text


def test_the_variables_say_the_same_to_libpq() -> None:
    """A child process reads the variables with its own libpq."""
    text = "host=h port=1 user='a b@c' password='p\"$`\\'\\\\q' dbname='d e' sslmode=require application_name='it\\'s'"
    command = os.environ["LAKEKEY_BIN"]
    script = f'eval "$("{command}" conninfo convert --to env --with-token -)" && env -0'
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(["sh", "-c", script], input=text.encode(), capture_output=True, env=clean, check=True)
    pairs = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    variables = {
        option.envvar.decode(): option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.envvar
    }
    read = {variables[name]: value for name, value in pairs.items() if name in variables}
    assert read == libpq(text)


def test_sqlalchemy_hands_psycopg_the_same_fields() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.dialects.postgresql import psycopg as dialect

    checked = lakekey("parse", "--output", "json", "--with-token", "--check", strings=STRINGS)
    accepted = [
        text
        for text, fields in zip(STRINGS, checked, strict=True)
        if "error" not in fields and "hostaddr" not in fields and text != "postgresql://h1%3A1"
    ]  # SQLAlchemy splits that host at its colon, however it is written
    assert len(accepted) >= 150
    written = lakekey("convert", "--to", "sqlalchemy", "--with-token", strings=accepted)
    for text, ours in zip(accepted, written, strict=True):
        url = sqlalchemy.engine.make_url(str(ours["text"]))
        _, arguments = dialect.dialect().create_connect_args(url)
        after = {name: str(value) for name, value in arguments.items() if name != "context" and value != ""}
        before = {name: value for name, value in (libpq(text) or {}).items() if value}
        for fields in (before, after):
            # SQLAlchemy takes ports for numbers, and wants as many of them as there are hosts.
            ports = [str(int(port)) if port else "" for port in fields.pop("port", "").split(",")]
            servers = len(fields.get("host", "").split(","))
            fields["ports"] = ",".join(ports * servers if len(ports) == 1 else ports)
        assert after == before, (text, ours)
