"""The table of the soak: ``prepare`` makes it, ``compare`` says how it differs from what the apps were told.

``compare`` reads ``{app: {"attempts": N, "failed": [numbers]}}`` from stdin. Every number from 1 to N that did not fail
was acknowledged, so it must be there; none may be there twice; and every row must have been written by the app's own
identity.
"""

from __future__ import annotations

import json
import sys

import lakekey.psycopg

MADE = """
create schema if not exists soak;
create table soak.row (
    app text not null, number bigint not null, who text not null default current_user, at timestamptz not null default now()
);
grant usage on schema soak to public;
grant insert, select on soak.row to public;
"""


def prepare() -> None:
    with lakekey.psycopg.connect() as connection:
        connection.execute(MADE)


def compare(told: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    found = {}
    with lakekey.psycopg.connect() as connection:
        for app, words in told.items():
            rows = connection.execute("select number, count(*) from soak.row where app = %s group by 1", (app,)).fetchall()
            who = connection.execute("select distinct who from soak.row where app = %s", (app,)).fetchall()
            times = dict(rows)
            attempts, failed = int(str(words["attempts"])), set(words["failed"])  # type: ignore[call-overload]
            acknowledged = [number for number in range(1, attempts + 1) if number not in failed]
            found[app] = {
                "acknowledged": len(acknowledged),
                "present": len(times),
                "lost": [number for number in acknowledged if number not in times][:20],
                "doubled": [number for number, count in times.items() if count > 1][:20],
                "unknown": [number for number in times if not 1 <= number <= attempts][:20],
                "who": sorted(name for (name,) in who),
            }
        total = connection.execute("select count(*), count(distinct app) from soak.row").fetchone()
    assert total is not None
    found["all"] = {"rows": total[0], "apps": total[1]}
    return found


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare()
    else:
        print(json.dumps(compare(json.load(sys.stdin))))
