"""Tries the three logins that Lakebase refuses and prints, as one JSON object, what psycopg got for each."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone

import psycopg

import lakekey


def attempt(**changes: str) -> dict[str, str | None]:
    parameters = {**PARAMETERS, **changes}
    try:
        psycopg.connect(**parameters, connect_timeout=10).close()
    except psycopg.OperationalError as refusal:
        return {"sqlstate": refusal.sqlstate, "message": " ".join(str(refusal).split())}
    raise SystemExit(f"a login that must be refused was accepted: {sorted(changes)}")


client = lakekey.Client()
PARAMETERS = client.connect_params()
# A good login first: what is refused below is refused for its own reason and for no other.
psycopg.connect(**PARAMETERS).close()

credential = client.credential()
while datetime.now(timezone.utc) <= credential.expires_at:
    time.sleep(0.1)

print(
    json.dumps(
        {
            "workspace_token": attempt(password=os.environ["DATABRICKS_TOKEN"]),
            "expired_token": attempt(password=credential.token),
            "no_tls": attempt(password=client.token(), sslmode="disable"),
        }
    )
)
