"""One name, one thing: public classes share no name, and every error of ours is in the tree of shared/errors.py."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from shared import errors
from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]


def public_classes() -> Iterator[tuple[str, str]]:
    """Yield each public class with the file that defines it."""
    for package in (*PACKAGES, "tests/fixtures"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield node.name, str(file.relative_to(ROOT))


def test_no_two_public_classes_share_a_name() -> None:
    files = defaultdict(list)
    for name, file in public_classes():
        files[name].append(file)

    assert {} == {name: found for name, found in files.items() if len(found) > 1}


def test_every_error_is_in_the_tree_that_its_file_draws() -> None:
    drawn = set(re.findall(r"\w+Error\b", errors.__doc__ or ""))

    assert [] == [name for name, _ in public_classes() if name.endswith("Error") and name not in drawn]
