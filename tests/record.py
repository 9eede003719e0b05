"""What a program that proves something did, for `make reliability`: one JSON line a time."""

import json
import os
from pathlib import Path


def record(row: str, **counts: int | str) -> None:
    """Adds a line to the file that RELIABILITY_ROW names; without one, nothing.

    Numbers of the same name are added up over the lines (`..._max`: the largest); texts are listed.
    """
    target = os.environ.get("RELIABILITY_ROW")
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"row": row} | counts) + "\n")


def seed() -> int:
    """Where random choices begin; each round of a long run sets another SEED."""
    return int(os.environ.get("SEED", "1"))
