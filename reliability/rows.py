"""The rows of the report: what is tried, by which command, and what must be nothing."""

import os
import re
from dataclasses import dataclass
from typing import Final

# Counters that must stay 0.
FAULTS: Final = (
    "lost",
    "doubled",
    "differences",
    "server_errors",
    "leaked",
    "undocumented",
    "survived",
    "not_judged",
)


@dataclass(frozen=True, slots=True)
class Row:
    """`command` is for a shell, in the repository, with the programs of .venv/bin on the path.

    `${NAME:-20}` in it is the environment's NAME, or 20. Where `adds_up` is false, a run replaces the
    one before: its numbers are a state, and the sum of two says nothing.
    """

    name: str
    proves: str
    command: str
    adds_up: bool = True

    @property
    def expanded(self) -> str:
        """The command as it runs now, so that somebody else can run the same."""

        def value(found: re.Match[str]) -> str:
            return os.environ.get(found[1]) or found[2]

        return re.sub(r"\$\{([A-Z]+):-([^}]*)\}", value, self.command)


_CRASH: Final = "python -m tests.crash --kills ${KILLS:-20}"
_FUZZ: Final = "make fuzz SEED=${SEED:-1}"
_MUTANTS: Final = "make mutants"

ROWS: Final = (
    Row(
        "races",
        "Requests that arrive at the same instant: money, keys, sign-ups, refresh tokens, closing accounts.",
        "set -e; for round in $(seq ${ROUNDS:-1}); do SEED=$((${SEED:-0} + round)) "
        "pytest --no-cov -q -n 2 tests/concurrency; done",
    ),
    Row("postings checked", "Every record and balance against the clients' logs and `bank verify`.", _CRASH),
    Row(
        "model commands",
        "Random histories against a second ledger, without a database.",
        "make prove COMMANDS=${COMMANDS:-50000}",
    ),
    Row(
        "failure sweep",
        "Each statement of each write fails once, and COMMIT before and after it took effect.",
        "make sweep",
    ),
    Row("kills", "SIGKILL under load, of the service and of PostgreSQL; the clients ask again.", _CRASH),
    Row("cut answers", "The connection is cut between the commit and the end of the answer.", _CRASH),
    Row("replays", "The same key again gives the same answer, byte for byte.", _CRASH),
    Row("bad inputs", "Wrong values at every field, path, query and header of every route.", _FUZZ),
    Row(
        "matrix",
        "Every route, asked by everybody, against the table in docs/access.md.",
        "pytest --no-cov -q tests/integration/test_access.py",
        adds_up=False,
    ),
    Row(
        "leaks", "Passwords, tokens and keys looked for in logs, database and answers.", _FUZZ, adds_up=False
    ),
    Row("coverage", "Branches of money, ledger and idempotency that tests run.", _MUTANTS, adds_up=False),
    Row("mutants", "Small changes to that code which no test notices.", _MUTANTS, adds_up=False),
)


def find(name: str) -> Row:
    """A row by its name, or by words of it: `kills`, `model`, `bad-inputs`. Raises KeyError."""
    words = set(re.split(r"[\s_-]+", name.strip().lower()))
    found = [row for row in ROWS if words == set(row.name.split())]
    found = found or [row for row in ROWS if words <= set(row.name.split())]
    if len(found) != 1:
        raise KeyError(name)
    return found[0]
