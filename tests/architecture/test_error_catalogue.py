"""Every error has one code, stands in the documents, and is reached by a test."""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path

import app
from app.core import errors
from tests.architecture.documents import table

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = list(errors.catalogue())


def test_a_code_belongs_to_one_error() -> None:
    counts = Counter(error.code for error in CATALOGUE)
    assert [code for code, count in counts.items() if count > 1] == []
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in counts)


def test_every_error_has_a_status_and_a_sentence() -> None:
    assert all(400 <= error.status <= 599 for error in CATALOGUE)
    assert [error.code for error in CATALOGUE if not error.message.endswith(".")] == []


def test_every_error_is_declared_in_the_one_file() -> None:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        importlib.import_module(module.name)
    assert {error.__module__ for error in errors.catalogue()} == {"app.core.errors"}
    assert len(list(errors.catalogue())) == len(CATALOGUE)


def test_the_documented_catalogue_is_the_one_in_the_code() -> None:
    documented = {row["code"]: int(row["status"]) for row in table("docs/errors.md", "code")}
    assert documented == {error.code: error.status for error in CATALOGUE}
    assert all(row["meaning"] for row in table("docs/errors.md", "code"))


def test_the_tree_at_the_top_of_the_file_shows_every_group() -> None:
    tree = errors.__doc__ or ""
    drawn = dict(re.findall(r"[├└]── (\w+) +(\d{3})", tree))
    assert drawn == {group.__name__: str(group.status) for group in errors.BankingError.__subclasses__()}


def named_in(source: str) -> set[str]:
    """The codes and error classes that a test file speaks of."""
    nodes = list(ast.walk(ast.parse(source)))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_every_error_is_reached_by_a_test() -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "architecture"]
    named = set().union(*(named_in(path.read_text()) for path in tests))
    assert [error.code for error in CATALOGUE if not {error.code, error.__name__} & named] == []


def test_an_error_is_reached_by_its_code_or_its_class_and_by_nothing_less() -> None:
    assert "not_found" in named_in('error_of(answer, 404, "not_found")')
    assert "NotFound" in named_in("pytest.raises(errors.NotFound)")
    assert not {"not_found", "NotFound"} & named_in('# not_found\n"it was not_found, NotFound"')
