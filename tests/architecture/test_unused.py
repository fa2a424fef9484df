"""A private function or class that nothing names is a mistake, and so is a public one that only tests name."""

import ast
import re
from pathlib import Path

from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (*PACKAGES, "tests")


def private_definitions(tree: ast.AST) -> set[str]:
    """Return the private functions and classes of a file that no decorator registers."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = (node for node in ast.walk(tree) if isinstance(node, kinds) and not node.decorator_list)
    return {node.name for node in found if node.name.startswith("_") and not node.name.startswith("__")}


def public_definitions(tree: ast.AST) -> set[str]:
    """Return the public functions, classes and methods that no decorator registers and no base class may call."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    overriding = {id(part) for one in classes if one.bases for part in one.body}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for node in ast.walk(tree) if isinstance(node, kinds) and not node.decorator_list]
    return {node.name for node in found if id(node) not in overriding and not node.name.startswith("_")}


def names_in(tree: ast.AST) -> set[str]:
    """Return every name that a file uses, also inside its strings."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                names.add(name)
            case ast.Constant(value=str(text)):
                names.update(re.findall(r"\w+", text))
    return names


def test_every_private_function_and_class_is_named_somewhere() -> None:
    trees = {file: ast.parse(file.read_text()) for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")}
    used = set().union(*(names_in(tree) for tree in trees.values()))

    assert [] == [
        f"{file.relative_to(ROOT)}: {name}" for file, tree in trees.items() for name in private_definitions(tree) - used
    ]


def test_every_public_function_and_class_is_named_by_a_program() -> None:
    trees = {file: ast.parse(file.read_text()) for folder in PACKAGES for file in (ROOT / folder).rglob("*.py")}
    trees.pop(ROOT / "shared" / "domain" / "strategies" / "indicators.py")  # for strategies that a trader writes
    used = set().union(*(names_in(tree) for tree in trees.values()))

    assert [] == [
        f"{file.relative_to(ROOT)}: {name}" for file, tree in trees.items() for name in public_definitions(tree) - used
    ]
