"""Rules for every file of the project: short, with a docstring, and in a folder with a specific name."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(file for package in (*PACKAGES, "tests") for file in (ROOT / package).rglob("*.py"))
MAX_LINES = 300
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools", "stuff"}
# The names of SQLAlchemy that code outside shared.db and shared.ledger may import: connections and errors.
CONNECTIONS = {"Connection", "Engine", "AsyncConnection", "AsyncEngine", "SQLAlchemyError", "DBAPIError", "DataError"}


def test_no_dependency_installs_a_package_under_one_of_our_names() -> None:
    owners = packages_distributions()

    assert {package: {"tickwork"} for package in PACKAGES if package in owners} == {
        package: set(owners[package]) for package in PACKAGES if package in owners
    }


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_every_python_and_sql_file_has_at_most_300_lines() -> None:
    sql = (file for package in PACKAGES for file in (ROOT / package).rglob("*.sql"))

    assert [] == [shown(file) for file in (*FILES, *sql) if len(file.read_text().splitlines()) > MAX_LINES]


def test_every_file_begins_with_a_docstring_of_one_sentence() -> None:
    def begins_with_a_sentence(file: Path) -> bool:
        lines = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
        return bool(lines and lines[0]) and (lines[0].endswith((".", "?", "!")) or len(lines) > 1)

    assert [] == [shown(file) for file in FILES if not begins_with_a_sentence(file)]


def test_no_file_or_folder_has_a_vague_name() -> None:
    parts = {file: {part.removesuffix(".py") for part in file.relative_to(ROOT).parts} for file in FILES}

    assert [] == [shown(file) for file, names in parts.items() if names & VAGUE_NAMES]


def test_the_domain_holds_no_floating_point_price() -> None:
    def names_float(file: Path) -> bool:
        return any(isinstance(node, ast.Name) and node.id == "float" for node in ast.walk(ast.parse(file.read_text())))

    domain = [file for file in FILES if file.is_relative_to(ROOT / "shared" / "domain")]
    allowed = {"indicators", "parameters", "view", "gauge_sums"}  # averages, parameters and distances, never a price
    assert domain
    assert [] == [shown(file) for file in domain if file.stem not in allowed and names_float(file)]


def test_every_connection_to_postgres_is_opened_where_its_limits_are_set() -> None:
    opening = {"connect", "create_engine", "create_async_engine", "ConnectionPool", "AsyncConnectionPool"}
    opening_owners = {"psycopg", "Connection", "AsyncConnection", "sqlalchemy", "psycopg_pool"}

    def opens(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        if isinstance(node.func, ast.Attribute) and node.func.attr in opening:
            owner = node.func.value
            return (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) in opening_owners
        return isinstance(node.func, ast.Name) and node.func.id in opening - {"connect"}

    found = {
        shown(file)
        for file in FILES
        if not file.is_relative_to(ROOT / "tests") and any(map(opens, ast.walk(ast.parse(file.read_text()))))
    }
    assert {"shared/db/connect.py", "shared/db/engine.py"} == found


def test_only_db_and_ledger_use_sql() -> None:
    def imported_from_sqlalchemy(file: Path) -> set[str]:
        return {
            alias.name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy"
            for alias in node.names
        }

    may = ("shared/db", "shared/ledger", "tests")
    others = [file for file in FILES if not any(file.is_relative_to(ROOT / folder) for folder in may)]
    assert {} == {shown(file): found for file in others if (found := imported_from_sqlalchemy(file) - CONNECTIONS)}
