"""The value of a tick or a point is in one table; the first system had five, and they disagreed."""

import ast
from pathlib import Path

from shared.domain.market_data.contract import ROOTS
from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
THE_TABLE = ROOT / "shared" / "domain" / "market_data" / "contract.py"
COSTS = ROOT / "shared" / "domain" / "trades" / "fees.py"  # the venue's fees for a contract, which are not its value


def find_roots_with_numbers(tree: ast.AST) -> list[str]:
    """Return the roots that a dict of the code maps to an expression with a number, such as Decimal("2")."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in ROOTS and has_number(value):
                    found.append(str(key.value))
    return found


def has_number(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            try:
                float(node.value)  # type: ignore[arg-type]  # the error excludes None, text and bytes
            except (TypeError, ValueError):
                continue
            return True
    return False


def test_only_one_table_has_the_value_of_a_contract() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if file not in {THE_TABLE, COSTS}]
    tables = {str(file.relative_to(ROOT)): find_roots_with_numbers(ast.parse(file.read_text())) for file in files}

    assert {} == {file: roots for file, roots in tables.items() if len(roots) > 1}


def test_a_second_table_would_be_found() -> None:
    assert ["MNQ", "M2K"] == find_roots_with_numbers(
        ast.parse('POINTS = {"MNQ": 2, "M2K": Decimal("0.5"), "ES": "equity"}')
    )
