"""`python -m reliability`: every row of the report; with ROW=kills or ROW=kills,races those.

With files, `python -m reliability ../other/report.json`, nothing runs: their runs are taken in.
"""

import os
import secrets
import sys
from pathlib import Path

from reliability import runs
from reliability.rows import ROWS, find


def main() -> int:
    """Runs the rows that ROW names, or takes in other reports."""
    if others := [Path(name) for name in sys.argv[1:]]:
        runs.take_in(others)
        return 0
    names = [name for name in os.environ.get("ROW", "").split(",") if name.strip()]
    try:
        rows = [find(name) for name in names] or list(ROWS)
    except KeyError as error:
        print(f"ROW={error.args[0]}: the rows are {', '.join(row.name for row in ROWS)}", file=sys.stderr)
        return 2
    # Another beginning for the random choices each time, and one that is written down.
    os.environ.setdefault("SEED", str(secrets.randbelow(10**6)))
    try:
        return 0 if runs.run(rows) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
