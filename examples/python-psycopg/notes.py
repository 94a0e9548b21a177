"""Notes in Lakebase, from the command line: a pool, a migration, a few queries, a clean end.

Nothing here knows of tokens. Where the database is and who you are comes from the environment.
"""

from __future__ import annotations

import argparse
import sys

import lakekey.psycopg
import psycopg
from lakekey import LakekeyError
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

MIGRATIONS = [
    """
    CREATE TABLE notes.note (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        text text NOT NULL CHECK (text <> ''),
        written timestamptz NOT NULL DEFAULT now()
    )
    """,
    "ALTER TABLE notes.note ADD COLUMN done timestamptz",
    "CREATE INDEX note_open ON notes.note (written) WHERE done IS NULL",
]


def migrate(pool: ConnectionPool, _: argparse.Namespace) -> None:
    """Bring the schema up to date; safe to run at every deployment, also twice at once."""
    with pool.connection() as conn:
        # A schema of one's own: in `public` the role may not be allowed to create anything.
        conn.execute("SELECT pg_advisory_xact_lock(hashtext('notes'))")
        conn.execute("CREATE SCHEMA IF NOT EXISTS notes")
        conn.execute("CREATE TABLE IF NOT EXISTS notes.migration (number int PRIMARY KEY)")
        row = conn.execute("SELECT coalesce(max(number), 0) AS number FROM notes.migration").fetchone()
        for number, statement in enumerate(MIGRATIONS[row["number"] :], row["number"] + 1):
            conn.execute(statement)
            conn.execute("INSERT INTO notes.migration VALUES (%s)", [number])
            print(f"migration {number} done")


def add(pool: ConnectionPool, arguments: argparse.Namespace) -> None:
    """Write a note."""
    with pool.connection() as conn:
        row = conn.execute("INSERT INTO notes.note (text) VALUES (%s) RETURNING id", [arguments.text]).fetchone()
    print(f"note {row['id']}")


def show(pool: ConnectionPool, _: argparse.Namespace) -> None:
    """List the open notes."""
    with pool.connection() as conn:
        for row in conn.execute("SELECT id, text, written FROM notes.note WHERE done IS NULL ORDER BY written"):
            print(f"{row['id']:>5}  {row['written']:%Y-%m-%d %H:%M}  {row['text']}")


def done(pool: ConnectionPool, arguments: argparse.Namespace) -> None:
    """Tick a note off."""
    with pool.connection() as conn:
        hit = conn.execute("UPDATE notes.note SET done = now() WHERE id = %s AND done IS NULL", [arguments.id])
    if hit.rowcount == 0:
        sys.exit(f"there is no open note {arguments.id}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", help="the database; default: from the environment")
    commands = parser.add_subparsers(required=True)
    for name, work in (("migrate", migrate), ("add", add), ("list", show), ("done", done)):
        command = commands.add_parser(name, help=work.__doc__)
        command.set_defaults(work=work)
        if work is add:
            command.add_argument("text")
        if work is done:
            command.add_argument("id", type=int)
    arguments = parser.parse_args()
    try:
        with lakekey.psycopg.pool(arguments.target, min_size=1, max_size=4, row_factory=dict_row) as pool:
            arguments.work(pool, arguments)
    except LakekeyError as error:
        sys.exit(f"{error.slug}: {error}")
    except psycopg.errors.UndefinedTable:
        sys.exit("the schema is missing: run `notes.py migrate`")
    except psycopg.OperationalError as error:
        # The pool has tried for a while; why each try failed stands in the log of `psycopg.pool`, on stderr by default.
        sys.exit(f"no connection: {error}")


if __name__ == "__main__":
    main()
