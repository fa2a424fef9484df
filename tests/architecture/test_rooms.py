"""Rules for every file of the project: short, with a docstring, and in a folder with a specific name."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cli", "scheduler", "shared", "simulator", "strategies", "web", "workers")
FILES = sorted(file for package in (*PACKAGES, "tests") for file in (ROOT / package).rglob("*.py"))
MOST_LINES = 300
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools", "stuff"}
# The names of SQLAlchemy that code outside shared.db and shared.ledger may import: connections and errors.
CONNECTIONS = {"Connection", "Engine", "AsyncConnection", "AsyncEngine", "SQLAlchemyError", "DBAPIError", "DataError"}


def test_no_dependency_installs_a_package_under_one_of_our_names() -> None:
    owners = packages_distributions()

    assert {package: {"tickwork"} for package in PACKAGES if package in owners} == {
        package: set(owners[package]) for package in PACKAGES if package in owners
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_short_and_begins_with_a_docstring(file: Path) -> None:
    text = file.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""

    assert len(text.splitlines()) <= MOST_LINES
    assert docstring.splitlines()[:1] not in ([], [""]), "a file begins with a docstring of one sentence"
    assert docstring.splitlines()[0].endswith((".", "?", "!")) or len(docstring.splitlines()) > 1
    assert not VAGUE_NAMES & {part.removesuffix(".py") for part in file.relative_to(ROOT).parts}


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
        if not any(file.is_relative_to(ROOT / folder) for folder in ("shared/db", "shared/ledger", "tests"))
    ],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_only_db_and_ledger_use_sql(file: Path) -> None:
    names = {
        alias.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy"
        for alias in node.names
    }

    assert set() == names - CONNECTIONS
