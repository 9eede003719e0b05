"""Each rule over the whole code base, and beside it a line that breaks it and is caught."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import Float, Numeric
from sqlalchemy.orm import configure_mappers

import app.models
from app.core.config import Settings
from app.db.base import Base
from app.main import create_app
from tests.architecture import rules
from tests.architecture.rules import Check

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
BELOW_JSON = ("services", "ledger", "repositories", "models", "db")

# rule, where it holds, where it does not
RULES: list[tuple[Check, tuple[str, ...], frozenset[str]]] = [
    (
        rules.transaction_control,
        ("",),
        # The engines state how a transaction begins; the unit of work owns the lock helper.
        frozenset({"db/unit_of_work.py", "db/locks.py", "db/session.py"}),
    ),
    (rules.environment, ("",), frozenset({"core/config.py"})),
    (rules.wall_clock, ("",), frozenset({"core/clock.py"})),
    (rules.secret_libraries, ("",), frozenset({"core/security.py"})),
    (rules.inexact_columns, ("", "../alembic"), frozenset()),
    (rules.inexact_money, ("",), frozenset()),
    (rules.no_floats_at_all, ("core/money.py", "core/iso4217.py", "ledger", "models"), frozenset()),
    (rules.silent_relations, ("",), frozenset()),
    (rules.json_shapes, BELOW_JSON, frozenset()),
    (rules.service_classes, ("services",), frozenset()),
    (rules.missing_docstrings, ("",), frozenset()),
    (rules.too_long, ("",), frozenset()),
]

BROKEN: list[tuple[Check, str]] = [
    (rules.transaction_control, "session.commit()"),
    (rules.transaction_control, "session.rollback()"),
    (rules.transaction_control, "with session.begin_nested(): pass"),
    (rules.transaction_control, "select(User).with_for_update()"),
    (rules.transaction_control, "engine.execution_options(isolation_level='SERIALIZABLE')"),
    (rules.transaction_control, "session.execute(text('COMMIT'))"),
    (rules.transaction_control, "QUERY = 'SELECT id FROM users FOR UPDATE'"),
    (rules.environment, "import os\nos.environ['JWT_SECRET']"),
    (rules.environment, "import os\nos.getenv('HOME')"),
    (rules.environment, "from os import environ"),
    (rules.environment, "from pydantic_settings import BaseSettings"),
    (rules.wall_clock, "from datetime import datetime\ndatetime.now()"),
    (rules.wall_clock, "import datetime\ndatetime.datetime.utcnow()"),
    (rules.wall_clock, "from datetime import date\ndate.today()"),
    (rules.wall_clock, "import time\ntime.time()"),
    (rules.wall_clock, "import time\ntime.monotonic()"),
    (rules.wall_clock, "from time import time"),
    (rules.wall_clock, "mapped_column(server_default=func.now())"),
    (rules.secret_libraries, "from jose import jwt"),
    (rules.secret_libraries, "import passlib.hash"),
    (rules.inexact_columns, "from sqlalchemy import Numeric"),
    (rules.inexact_columns, "sa.Column('balance', sa.Float())"),
    (rules.inexact_money, "amount: float = 1"),
    (rules.inexact_money, "def pay(*, amount: float | None): ..."),
    (rules.inexact_money, "def total() -> float: ..."),
    (rules.inexact_money, "half = account.balance / 2"),
    (rules.inexact_money, "fee = amount * 0.01"),
    (rules.inexact_money, "float(row.balance)"),
    (rules.no_floats_at_all, "RATE = 0.5"),
    (rules.no_floats_at_all, "float('1')"),
    (rules.no_floats_at_all, "a / b"),
    (rules.silent_relations, "accounts = relationship('Account')"),
    (rules.silent_relations, "accounts = orm.relationship('Account', lazy='select')"),
    (rules.json_shapes, "from pydantic import BaseModel"),
    (rules.json_shapes, "from app.schemas.auth import Login"),
    (rules.json_shapes, "from app import schemas"),
    (rules.json_shapes, "import json"),
    (rules.service_classes, "class Accounts:\n    def open(self): ..."),
    (rules.missing_docstrings, "x = 1"),
    (rules.missing_docstrings, '"""A module."""\nclass Thing: ...'),
    (rules.missing_docstrings, '"""A module."""\nasync def act(): ...'),
    (rules.too_long, "\n" * 401),
]

ALLOWED: list[tuple[Check, str]] = [
    (rules.transaction_control, '"""Nobody but the unit of work says COMMIT."""\nx = y.committed'),
    (rules.transaction_control, "bank.login_throttle.begin(key)"),
    (rules.environment, "import os\nos.urandom(8)"),
    (rules.wall_clock, "clock.now()\nclock.monotonic()\ntime.sleep(1)"),
    (rules.inexact_money, "half = amount // 2\nwait: float = 0.5\nlate = seconds / 2"),
    (rules.silent_relations, "accounts = relationship('Account', lazy='raise')"),
    (rules.json_shapes, "from app.models import User"),
    (rules.service_classes, "@dataclass\nclass Grant:\n    user_id: str"),
    (rules.missing_docstrings, '"""Errors."""\nclass NotFound(Root):\n    message = "None."'),
    (rules.too_long, "\n" * 400),
]


def sources(folders: tuple[str, ...], exempt: frozenset[str]) -> list[Path]:
    found = []
    for folder in folders:
        path = APP / folder
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if str(path).removeprefix(f"{APP}/") not in exempt]


def name(value: object) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize(("rule", "folders", "exempt"), RULES, ids=name)
def test_the_code_keeps_the_rule(rule: Check, folders: tuple[str, ...], exempt: frozenset[str]) -> None:
    checked = sources(folders, exempt)
    assert checked
    broken = {str(path.relative_to(ROOT)): rule(path.read_text()) for path in checked}
    assert {path: found for path, found in broken.items() if found} == {}, rule.__doc__


@pytest.mark.parametrize("rule", [rule for rule, _, exempt in RULES if exempt], ids=name)
def test_an_exemption_is_only_for_a_file_that_needs_it(rule: Check) -> None:
    (exempt,) = [exempt for other, _, exempt in RULES if other is rule]
    assert [path for path in exempt if not rule((APP / path).read_text())] == []


@pytest.mark.parametrize(("rule", "source"), BROKEN, ids=name)
def test_a_line_that_breaks_the_rule_is_caught(rule: Check, source: str) -> None:
    assert rule(source)


@pytest.mark.parametrize(("rule", "source"), ALLOWED, ids=name)
def test_code_that_only_looks_alike_passes(rule: Check, source: str) -> None:
    assert rule(source) == []


def test_every_rule_is_shown_to_catch_something() -> None:
    assert {rule for rule, _ in BROKEN} == {rule for rule, _, _ in RULES}


def test_no_column_rounds() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert app.models.__all__
    assert len(columns) > 20
    assert [str(column) for column in columns if isinstance(column.type, Numeric | Float)] == []


def test_every_relation_is_loaded_by_a_repository_or_not_at_all() -> None:
    configure_mappers()
    relations = [relation for mapper in Base.registry.mappers for relation in mapper.relationships]
    assert [str(relation) for relation in relations if relation.lazy != "raise"] == []


def test_every_number_on_the_wire_is_whole(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, app_env="test", database_url=f"sqlite:///{tmp_path}/bank.db")
    document = create_app(settings).openapi()
    assert list(fractions(document["components"]["schemas"])) == []
    assert list(fractions({"Account": {"properties": {"balance": {"type": "number"}}}})) == ["balance"]


def fractions(schema: object, field: str = "") -> list[str]:
    """Fields of a JSON schema that may have a fraction."""
    if isinstance(schema, list):
        return [found for item in schema for found in fractions(item, field)]
    if not isinstance(schema, dict):
        return []
    own = [field] if schema.get("type") == "number" else []
    return own + [found for key, item in schema.items() for found in fractions(item, key)]


def test_warnings_are_errors_in_every_test_run() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
    assert not [line for line in options["filterwarnings"] if line in ("default", "ignore", "always")]


def test_the_migrations_do_not_hide_the_installed_alembic() -> None:
    assert (ROOT / "alembic" / "env.py").exists()
    assert not list((ROOT / "alembic").rglob("__init__.py"))
