"""Unified authentication beside the official SDKs of Python, JavaScript, Go and Java: in each environment of
``tests/auth/environments.json`` all pick the same type and send the same authorization, or the difference is named there.

A recorder stands between the clients and the emulator. It writes down what each of them sends to the API.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest

from emulator import Emulator

DATA = json.loads((Path(__file__).parents[2] / "auth" / "environments.json").read_text())
CASES = DATA["cases"]
ENDPOINT = "projects/emulator/branches/production/endpoints/primary"
MEGABYTE = 1024 * 1024
# What belongs to one connection, or to a body that is written anew.
NOT_PASSED_ON = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


class Recorder(ThreadingHTTPServer):
    """Passes requests on and keeps the authorization of those to the API."""

    daemon_threads = True

    def __init__(self, control: str) -> None:
        super().__init__(("127.0.0.1", 0), Pass)
        self.control = control.removeprefix("http://")
        self.seen: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Pass(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.body()
        if self.path.startswith("/api/"):
            authorization = self.headers.get("authorization") or ""
            self.server.seen.append((authorization, self.headers.get("x-databricks-workspace-id")))
        onward = http.client.HTTPConnection(self.server.control, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        # An issuer that is asked for a token for this address makes it for the emulator's.
        path = self.path
        for written in (str, lambda url: quote(url, safe="")):
            path = path.replace(written(self.server.url), written(f"http://{self.server.control}"))
        onward.request(self.command, path, body, headers)
        answer = onward.getresponse()
        # Addresses in documents must lead back here.
        text = answer.read().replace(f"http://{self.server.control}".encode(), self.server.url.encode())
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        onward.close()

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    do_GET = do_POST = handle_any  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Emulator("--parent-pid", str(os.getpid())) as emulator, Recorder(emulator.env["DATABRICKS_HOST"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def id_token(recorder: Recorder) -> str:
    audience = f"http://{recorder.control}/oidc/v1/token"
    request = urllib.request.Request(
        f"http://{recorder.control}/issuer/github?audience={audience}", headers={"authorization": "Bearer emulator-job"}
    )
    with urllib.request.urlopen(request) as answer:
        token: str = json.load(answer)["value"]
    return token


def user_token(recorder: Recorder) -> str:
    form = b"grant_type=refresh_token&client_id=databricks-cli&refresh_token=emulator-refresh"
    with urllib.request.urlopen(f"http://{recorder.control}/oidc/v1/token", form) as answer:
        token: str = json.load(answer)["access_token"]
    return token


def tool(kind: str, recorder: Recorder) -> str:
    """A stand-in for the Databricks CLI: a script of the size of the real one."""
    if kind == "cli-legacy":
        return "#!/bin/sh\necho 'Version 0.18.0'\n"
    no_login = "Error: cache: databricks OAuth is not configured for this host. no cached credentials"
    token = (
        json.dumps({"access_token": user_token(recorder), "token_type": "Bearer", "expiry": "2999-01-01T00:00:00Z"})
        if kind == "cli-login"
        else ""
    )
    answer = f"echo '{token}'" if token else f"echo '{no_login}' >&2; exit 1"
    version = '{"Major":0,"Minor":300,"Patch":0,"Version":"0.300.0"}'
    script = f"#!/bin/sh\ncase $1 in version) echo '{version}';; *) {answer};; esac\nexit 0\n"
    return script + "#" * MEGABYTE


def prepared(case: dict[str, Any], home: Path, recorder: Recorder) -> dict[str, str]:
    """Writes the files of an environment and gives its variables."""
    marks = {"$HOST": recorder.url, "$HOME": str(home)}
    if "$ID_TOKEN" in json.dumps(case):
        marks["$ID_TOKEN"] = id_token(recorder)

    def filled(text: str) -> str:
        for mark, value in marks.items():
            text = text.replace(mark, value)
        return text

    files = dict(case.get("files", {}))
    if "file" in case:
        files[".databrickscfg"] = case["file"]
    for name, text in files.items():
        (home / name).write_text(filled(text), encoding="utf-8")
    programs = home / "bin"
    programs.mkdir()
    for name, kind in case.get("tools", {}).items():
        (programs / name).write_text(tool(kind, recorder))
        (programs / name).chmod(0o755)
    variables = {name: filled(value) for name, value in case.get("env", {}).items()}
    return {"HOME": str(home), "PATH": str(programs), **variables}


def shown(authorization: str) -> str:
    """What an authorization says: two tokens of one identity differ in their ids and times only."""
    scheme, _, token = authorization.partition(" ")
    parts = token.split(".")
    if len(parts) != 3:
        return authorization
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return f"{scheme} {claims['sub']} {claims['aud']} {claims['scope']}"


def sent(recorder: Recorder) -> tuple[list[str], set[str | None]]:
    """The authorizations that came, and the workspace ids beside them."""
    seen, recorder.seen = recorder.seen, []
    return sorted({shown(authorization) for authorization, _ in seen}), {workspace for _, workspace in seen}


def of_lakekey(env: dict[str, str], recorder: Recorder) -> tuple[str | None, list[str], set[str | None], Any]:
    lakekey = os.environ["LAKEKEY_BIN"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([lakekey, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)

    described = json.loads(run("auth", "describe", "--output", "json").stdout)
    run("token", ENDPOINT)
    return described.get("auth_type"), *sent(recorder), described


def of_sdk(env: dict[str, str], recorder: Recorder) -> tuple[str | None, list[str], set[str | None], Any]:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    chosen = None
    problem = None
    with mock.patch.dict(os.environ, env, clear=True):
        try:
            config = Config()
            chosen = config.auth_type
            config.authenticate()
            WorkspaceClient(config=config).postgres.get_endpoint(ENDPOINT)
        except Exception as error:
            problem = error
    return chosen, *sent(recorder), problem


class Witness:
    """An official SDK in a process of its own, which reads an environment a line and answers with a line."""

    def __init__(self, command: list[str], folder: str | None = None) -> None:
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, env: dict[str, str]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(env) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{self.process.args} ended with {self.process.wait(20)}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


def given(variable: str) -> str:
    value = os.environ.get(variable, "")
    assert value, f"{variable} is not set; run the tests by `cargo xtask test official`"
    return value


@pytest.fixture(scope="module")
def witnesses() -> Iterator[dict[str, Witness]]:
    running = {
        "javascript": Witness(["node", "witness.mjs"], given("LAKEKEY_NODE_OFFICIAL")),
        "go": Witness([given("LAKEKEY_GO_WITNESS")]),
        "java": Witness(["java", "-cp", given("LAKEKEY_JAVA_WITNESS"), "com.databricks.sdk.core.Witness"]),
    }
    yield running
    for witness in running.values():
        witness.end()


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_the_same_identity(
    case: dict[str, Any], recorder: Recorder, witnesses: dict[str, Witness], tmp_path: Path
) -> None:
    env = prepared(case, tmp_path, recorder)
    chosen, ours, our_workspaces, described = of_lakekey(env, recorder)
    if "auth" in case:
        assert chosen == case["auth"], described
        assert len(ours) == 1, ours
    else:
        assert described["error"]["slug"] == case["error"], described
        assert described["error"]["hint"], described
        assert ours == []

    def same(theirs_chosen: str | None, theirs: list[str]) -> bool:
        # A type of an SDK's that then sends nothing is a refusal like ours.
        return ours == theirs and (not ours or chosen == theirs_chosen)

    theirs_chosen, theirs, their_workspaces, problem = of_sdk(env, recorder)
    about = {"python": (same(theirs_chosen, theirs), f"{theirs_chosen} {theirs}: {problem!r}")}
    if about["python"][0] and our_workspaces != {None}:
        # The SDK learns a workspace's id by one request more, so only ours must be among theirs.
        assert our_workspaces == their_workspaces
    for sdk, witness in witnesses.items():
        said = witness.ask(env)
        theirs, _ = sent(recorder)
        about[sdk] = (same(said["auth_type"], theirs), f"{said} {theirs}")
    differs = case.get("differs", {})
    surprises = [
        f"no difference from {sdk} any more: {differs[sdk]}" if is_same else f"{sdk} has {its}"
        for sdk, (is_same, its) in about.items()
        if is_same == (sdk in differs)
    ]
    assert not surprises, f"lakekey {chosen} {ours}; {'; '.join(surprises)}; {described}"


def test_there_are_enough_environments_and_each_difference_is_a_known_one() -> None:
    assert len(CASES) >= 60
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert {row for case in CASES for row in case.get("differs", {}).values()} == set(DATA["differences"])
