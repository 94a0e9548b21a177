"""Unified authentication beside the official SDKs of Python, JavaScript, Go and Java: in each environment of
``tests/auth/environments.json`` all pick the same type and send the same authorization, or the difference is named there.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from auth.recorder import AZURE, GOOGLE, Recorder
from emulator import Emulator

DATA = json.loads((Path(__file__).parents[2] / "auth" / "environments.json").read_text())
CASES = DATA["cases"]
ENDPOINT = "projects/emulator/branches/production/endpoints/primary"
MEGABYTE = 1024 * 1024
CLIENT = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-00000000007e"
# Databricks itself, as Entra knows it.
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with (
        Emulator("--parent-pid", str(os.getpid())) as emulator,
        Recorder(emulator.env["DATABRICKS_HOST"], tmp_path_factory.mktemp("tls")) as server,
    ):
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


def entra_token(recorder: Recorder, resource: str) -> str:
    form = f"grant_type=client_credentials&client_id={CLIENT}&client_secret=emulator-secret&resource={resource}"
    url = f"http://{recorder.control}/entra/{TENANT}/oauth2/token"
    with urllib.request.urlopen(url, form.encode()) as answer:
        token: str = json.load(answer)["access_token"]
    return token


def az(kind: str, recorder: Recorder) -> str:
    """A stand-in for the Azure CLI, logged in as the service principal."""
    if kind == "az-no-login":
        return "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"
    until = "2999-01-01 00:00:00.000000"
    own, management = (
        json.dumps({"accessToken": entra_token(recorder, resource), "tokenType": "Bearer", "expiresOn": until})
        for resource in (DATABRICKS, "https://management.core.windows.net/")
    )
    account = json.dumps({"tenantId": TENANT, "user": {"name": CLIENT, "type": "servicePrincipal"}})
    return f"""#!/bin/sh
case "$*" in
"account show "*) echo '{account}';;
*"--resource https://management"*) echo '{management}';;
*"--resource {DATABRICKS}"*) echo '{own}';;
*) echo "ERROR: there is no such resource" >&2; exit 1;;
esac
"""


def tool(kind: str, recorder: Recorder) -> str:
    """A stand-in for the Databricks CLI, a script of the size of the real one, or for the Azure CLI."""
    if kind.startswith("az-"):
        return az(kind, recorder)
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
    marks = {"$HOST": recorder.url, "$HOME": str(home), "$AZURE": f"https://{AZURE}", "$GOOGLE": f"https://{GOOGLE}"}
    if "$KEY_OF_GOOGLE" in json.dumps(case):
        with urllib.request.urlopen(f"http://{recorder.control}/google/key") as answer:
            marks["$KEY_OF_GOOGLE"] = answer.read().decode()
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
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(filled(text), encoding="utf-8")
    programs = home / "bin"
    programs.mkdir()
    for name, kind in case.get("tools", {}).items():
        (programs / name).write_text(tool(kind, recorder))
        (programs / name).chmod(0o755)
    variables = {name: filled(value) for name, value in case.get("env", {}).items()}
    clouds = recorder.proxy if case.get("clouds") else {}
    return {"HOME": str(home), "PATH": str(programs), **clouds, **variables}


def shown(authorization: str) -> str:
    """What an authorization says: two tokens of one identity differ in their ids and times only."""
    authorization, *beside = authorization.split(" + ")
    if beside:
        return " + ".join(map(shown, [authorization, *beside]))
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

    def __init__(self, command: list[str], folder: str | None = None, **variables: str) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
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
def witnesses(recorder: Recorder) -> Iterator[dict[str, Witness]]:
    running = {
        "javascript": Witness(["node", "witness.mjs"], given("LAKEKEY_NODE_OFFICIAL")),
        # Go reads these once in the life of a process.
        "go": Witness([given("LAKEKEY_GO_WITNESS")], **recorder.proxy),
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
    only = case.get("only", list(witnesses))
    for sdk, witness in witnesses.items():
        if sdk not in only:
            continue
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
