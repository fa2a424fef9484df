"""What every file of the project must be: short, introduced by one sentence, and in a room with a name."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cli", "scheduler", "shared", "simulator", "strategies", "web", "workers")
FILES = sorted(file for package in (*PACKAGES, "tests") for file in (ROOT / package).rglob("*.py"))
MOST_LINES = 400
ROOMS_NOBODY_CAN_LIVE_IN = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools", "stuff"}
# What code outside shared.db and shared.ledger may know of SQLAlchemy: how to hold a connection, and how it fails.
CONNECTIONS = {"Connection", "Engine", "AsyncConnection", "AsyncEngine", "SQLAlchemyError", "DBAPIError", "DataError"}


def test_no_dependency_installs_a_package_under_one_of_our_names() -> None:
    owners = packages_distributions()

    assert {package: {"tickwork"} for package in PACKAGES if package in owners} == {
        package: set(owners[package]) for package in PACKAGES if package in owners
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_short_and_opens_with_what_it_is(file: Path) -> None:
    text = file.read_text()
    introduction = ast.get_docstring(ast.parse(text)) or ""

    assert len(text.splitlines()) <= MOST_LINES
    assert introduction.splitlines()[:1] not in ([], [""]), "a file opens with the one sentence that says what it is"
    assert introduction.splitlines()[0].endswith((".", "?", "!")) or len(introduction.splitlines()) > 1
    assert not ROOMS_NOBODY_CAN_LIVE_IN & {part.removesuffix(".py") for part in file.relative_to(ROOT).parts}


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.is_relative_to(ROOT / "shared" / "domain")], ids=lambda file: file.stem
)
def test_the_domain_holds_no_floating_point_price(file: Path) -> None:
    if file.stem in {"indicators", "backoff", "decision"}:  # averages, random fractions and confidence, never a price
        return
    named = [node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)]

    assert "float" not in named


@pytest.mark.parametrize(
    "file",
    [
        file
        for file in FILES
        if not any(file.is_relative_to(ROOT / room) for room in ("shared/db", "shared/ledger", "tests"))
    ],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_sql_is_spoken_in_db_and_ledger_only(file: Path) -> None:
    names = {
        alias.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy"
        for alias in node.names
    }

    assert set() == names - CONNECTIONS
