"""What the Python apps of demo and soak are besides their driver: they count, they tell how it goes, they take commands.

Every half second an app tells its figures, one JSON object a line, and each failure when it happens. Commands come on
stdin: ``pause`` (let every connection go, and wait for the next token), ``resume``, ``stop``. With ``APP_ROWS`` in the
environment an app writes its numbers as rows under that name instead of asking for them back: each number once, whatever
becomes of it, so that afterwards the table can be compared with what the app was told.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import sys
import threading
import time

import lakekey

ROWS = os.environ.get("APP_ROWS")
STATEMENT = (
    f"insert into soak.row (app, number) values ('{ROWS}', %s) returning number, current_user"
    if ROWS
    else "select %s::int, current_user"
)
WORKERS = 3 if ROWS else 6
REST_S = 0.03 if ROWS else 0.01
RECYCLE_S = 0.8
# Longer than the budget of a connect, so that its own error is the one that is seen.
PATIENCE_S = 45

OUTPUT = threading.Lock()


def say(message: dict[str, object]) -> None:
    with OUTPUT:
        print(json.dumps(message), flush=True)


class Telling:
    """The figures of an app. ``pool_figures`` is for its driver to say."""

    def __init__(self) -> None:
        if ROWS:
            # All that lakekey has to say, so that the search for secrets has something to search.
            logging.basicConfig(level=logging.WARNING)
            logging.getLogger("lakekey").setLevel(logging.DEBUG)
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.attempts = 0
        self.queries = 0
        self.failed_queries = 0
        self.tokens: set[str] = set()
        self.running = threading.Event()
        self.ended = threading.Event()
        self.client = lakekey.Client()
        self.teller = threading.Thread(target=self.tell, name="teller")

    def number(self) -> int:
        with self.lock:
            self.attempts = next(self.numbers)
            return self.attempts

    def done(self) -> None:
        with self.lock:
            self.queries += 1

    def failed(self, error: BaseException, number: int, began: float, *, login: bool) -> None:
        with self.lock:
            self.failed_queries += 1
        text = f"{type(error).__name__}: {error}"
        say({"failure": text, "number": number, "login": login, "waited_s": time.monotonic() - began})

    def saw(self, token: str) -> None:
        with self.lock:
            self.tokens.add(hashlib.sha256(token.encode()).hexdigest())

    def pool_figures(self) -> dict[str, int]:
        raise NotImplementedError

    def figures(self) -> dict[str, object]:
        stats = self.pool_figures()
        failed = stats.get("connections_errors", 0)
        with self.lock:
            return {
                "attempts": self.attempts,
                "logins": stats.get("connections_num", 0) - failed,
                "failed_logins": failed,
                "queries": self.queries,
                "failed_queries": self.failed_queries,
                "tokens": len(self.tokens),
                "connections": stats.get("pool_size", 0),
            }

    def tell(self) -> None:
        while not self.ended.wait(0.5):
            say(self.figures())

    def settle(self) -> None:
        """Waits for the next token. Right after a rotation none is due, so that a quiet app leaves no token behind that
        nobody saw, and what the emulator minted and what this app saw can be compared."""
        last = self.client.token()
        self.saw(last)
        deadline = time.monotonic() + 60
        while (token := self.client.token()) == last:
            if time.monotonic() > deadline:
                raise SystemExit("the token did not rotate within a minute")
            time.sleep(0.02)
        self.saw(token)

    def take_commands(self) -> None:
        """Runs until it is told to stop, or nobody is there any more who could tell it."""
        self.teller.start()
        self.running.set()
        for line in sys.stdin:
            match line.strip():
                case "pause":
                    self.running.clear()
                    self.settle()
                case "resume":
                    self.running.set()
                case "stop":
                    break
        self.running.clear()
        self.ended.set()
        self.teller.join()

    def finish(self, driver: str, figures: dict[str, object]) -> None:
        """The last words, once the pool is closed."""
        self.client.close()
        say({"done": True, "driver": driver, **figures})
