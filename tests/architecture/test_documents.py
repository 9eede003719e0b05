"""What the documents say of settings, endpoints, versions and progress is what the code says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.cli import main as bank
from app.core.config import Settings
from app.main import create_app
from app.models.authorizations import DeclineReason
from app.models.cards import CardStatus
from tests.architecture.documents import ROOT, headings, pinned, read, table

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern)
)
AT_THE_ROOT = (
    "README",
    "ARCHITECTURE",
    "TECHNICAL_SPEC",
    "IMPLEMENTATION_PLAN",
    "MILESTONES",
    "ROADMAP",
    "DEPENDENCIES",
    "SECURITY",
    "CHANGELOG",
    "AI_LOG",
)
PHASES = [
    "Phase 1: Foundations",
    "Phase 2: Core banking",
    "Phase 3: Cards and statements",
    "Phase 4: Correctness & safety guarantees",
    "Phase 5: Operational deliverables",
]


def as_text(default: Any) -> str:
    """A default as one would write it into the environment."""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if default is None or default == {}:
        return ""
    if isinstance(default, list):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def settings_as_documented() -> dict[str, tuple[str, str, str]]:
    return {
        name.upper(): (as_text(field.default) or "none", field.description or "", file_form(field))
        for name, field in Settings.model_fields.items()
    }


def file_form(field: Any) -> str:
    return "yes" if any(type(mark).__name__ == "FromFile" for mark in field.metadata) else "no"


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_document_is_there() -> None:
    assert {f"{name}.md" for name in AT_THE_ROOT} <= set(DOCUMENTS)


def test_the_settings_table_is_what_the_settings_are() -> None:
    rows = table("docs/configuration.md", "Variable")
    documented = {row["Variable"]: (row["Default"], row["Meaning"], row["As `NAME_FILE"]) for row in rows}
    assert documented == settings_as_documented()
    assert all(meaning for _, meaning, _ in documented.values())


def test_the_settings_in_the_readme_are_said_as_in_the_whole_table() -> None:
    whole = {row["Variable"]: row for row in table("docs/configuration.md", "Variable")}
    for row in table("README.md", "Variable"):
        assert row == {key: whole[row["Variable"]][key] for key in row}


def test_the_endpoint_table_is_what_openapi_says(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, app_env="test", database_url=f"sqlite:///{tmp_path}/bank.db")
    served = operations(create_app(settings).openapi())
    documented = {(row["Method"], row["Path"]): row["Who"] for row in table("docs/api.md", "Method")}
    assert documented == {
        endpoint: "user" if operation.get("security") else "anyone" for endpoint, operation in served.items()
    }


@pytest.mark.parametrize(
    ("path", "refusals"),
    [
        ("/v1/auth/signup", {"409"}),
        ("/v1/auth/login", {"401", "429"}),
        ("/v1/auth/token", {"401", "429"}),
        ("/v1/auth/refresh", {"401"}),
        ("/v1/auth/password", {"401", "429"}),
    ],
)
def test_openapi_tells_how_signing_up_and_in_is_refused(
    path: str, refusals: set[str], tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, app_env="test", database_url=f"sqlite:///{tmp_path}/bank.db")
    assert refusals <= set(operations(create_app(settings).openapi())["POST", path]["responses"])


def test_the_readme_lists_every_command_of_the_program() -> None:
    listed = {row["Command"] for row in table("README.md", "Command")}
    assert listed == {f"bank {name}" for name in bank.commands}


def test_the_reasons_of_a_card_are_listed_in_the_order_in_which_they_are_asked() -> None:
    assert [row["Reason"] for row in table("docs/cards.md", "Reason")] == list(DeclineReason)
    assert {row["Status"] for row in table("docs/cards.md", "Status")} == set(CardStatus)


def test_the_versions_of_the_stack_table_are_the_pinned_ones() -> None:
    stack = {row["Package"]: row["Version"] for row in table("README.md", "Part")}
    assert stack == {package: pinned()[package] for package in stack}
    assert len(stack) >= 9


@pytest.mark.parametrize(
    ("column", "group"), [("Runtime package", "dependencies"), ("Development package", "dev")]
)
def test_every_direct_dependency_is_explained(column: str, group: str) -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    declared = project["dependencies"] if group == "dependencies" else project["optional-dependencies"][group]
    names = {re.split(r"[^A-Za-z0-9-]", line)[0] for line in declared}
    rows = table("DEPENDENCIES.md", column)
    assert {row[column] for row in rows} == names
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", row["Released"]) for row in rows)
    assert [row for row in rows if not all(row.values())] == []


def test_the_dependencies_table_names_the_pinned_versions() -> None:
    rows = table("DEPENDENCIES.md", "Runtime package")
    assert {row["Runtime package"]: row["Version"] for row in rows} == {
        row["Runtime package"]: pinned()[row["Runtime package"]] for row in rows
    }


def test_the_milestones_are_the_five_phases() -> None:
    assert headings("MILESTONES.md", 2) == PHASES
    boxes = re.findall(r"^- \[[ x]\] (.+)$", read("MILESTONES.md").split(f"## {PHASES[-1]}")[1], re.M)
    assert boxes == [
        "Containerization + env configs",
        "Test coverage checkpoint (prove completeness)",
        "Documentation + AI usage report",
    ]


def test_every_phase_has_boxes() -> None:
    for section in re.split(r"^## ", read("MILESTONES.md"), flags=re.M)[1:]:
        assert re.findall(r"^- \[[ x]\] \S", section, re.M), section


def test_the_usage_log_has_its_sections_in_every_phase() -> None:
    assert headings("AI_LOG.md", 1) == ["AI Usage Log"]
    phases = headings("AI_LOG.md", 2)
    assert phases == [phase for phase in PHASES if phase in phases]
    assert headings("AI_LOG.md", 3) == len(phases) * [
        "Summary of prompts and iterations",
        "How AI was used",
        "Challenges encountered and solutions",
        "Manual intervention required",
        "Things achieved",
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read(document))
    local = [link for link in links if not re.match(r"https?:", link)]
    assert [link for link in local if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_decisions_are_numbered_without_gaps_and_say_what_enforces_them() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for path in records:
        sections = headings(path.relative_to(ROOT).as_posix(), 2)
        assert sections == ["Context", "Decision", "Consequences", "What enforces it"], path.name


def test_every_test_file_that_a_decision_names_exists() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        named = re.findall(r"`((?:tests|app|alembic)/[\w/.]+)`", path.read_text("utf-8"))
        assert [file for file in named if not (ROOT / file).exists()] == [], path.name
