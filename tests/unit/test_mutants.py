"""The list of harmless mutants speaks of code that is there, and `make mutants` reads it."""

import re
from pathlib import Path

import pytest

from tests import mutants

ROOT = Path(__file__).parents[2]
SECTIONS = re.split(r"^## ", mutants.HARMLESS.read_text(), flags=re.M)[1:]


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("app.ledger.batch.x__address__mutmut_3", "app.ledger.batch._address"),
        ("app.ledger.batch.xǁBatchǁaccount__mutmut_12", "app.ledger.batch.Batch.account"),
        ("app.ledger.posting.xǁ_Postingǁ_post__mutmut_1", "app.ledger.posting._Posting._post"),
    ],
)
def test_a_mutants_name_tells_its_function(mutant: str, function: str) -> None:
    assert mutants.function_of(mutant) == function


def test_each_change_on_the_list_takes_away_lines_that_are_there() -> None:
    changes = list(mutants.harmless())
    assert len(changes) == sum(section.count("```diff") for section in SECTIONS) > 0
    for function, lines in changes:
        source = (ROOT / f"{_module(function).replace('.', '/')}.py").read_text()
        assert f"def {function.rpartition('.')[2]}(" in source
        there = {line.strip() for line in source.splitlines()}
        assert {line[2:] for line in lines.splitlines() if line[0] == "-"} <= there, function


def _module(function: str) -> str:
    """The part of the name that is a file."""
    name = function
    while not (ROOT / f"{name.replace('.', '/')}.py").exists():
        name = name.rpartition(".")[0]
    return name


def test_each_change_on_the_list_has_a_reason() -> None:
    for section in SECTIONS:
        reasons = re.split(r"^```diff\n.*?^```$", section, flags=re.M | re.S)[1:]
        assert re.search(r"\w+ \w+", reasons[-1]), section
