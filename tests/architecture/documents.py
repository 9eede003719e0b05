"""Reads the documents, for tests that compare them with the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(path: str) -> str:
    """A document of the repository."""
    return (ROOT / path).read_text("utf-8")


def table(path: str, first_column: str) -> list[dict[str, str]]:
    """The rows of the table that begins with this column, by column; code marks are taken off."""
    lines = read(path).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    names = _cells(lines[start])
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = _cells(line)
        assert len(cells) == len(names), line
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def headings(path: str, level: int) -> list[str]:
    """The headings of one level, in order."""
    return re.findall(rf"^{'#' * level} (.+)$", read(path), re.M)


def pinned() -> dict[str, str]:
    """Package and version of every line of requirements.txt."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?==([^\s;\\]+)", read("requirements.txt"), re.M))


def shell_block(path: str) -> str:
    """The first shell block of a document, as a reader would paste it."""
    found = re.search(r"^```sh\n(.*?)^```$", read(path), re.M | re.S)
    assert found, f"{path} has no sh block"
    return found[1]
