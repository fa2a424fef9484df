"""The programs import no distribution that only the development environment installs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]


def imported_packages() -> set[str]:
    """Return the top-level packages that the programs import, but for our own and the standard library's."""
    found: set[str] = set()
    for program in PACKAGES:
        for file in (ROOT / program).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found |= {one.name.split(".")[0] for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
                    found.add(node.module.split(".")[0])
    return found - set(PACKAGES) - sys.stdlib_module_names


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_a_program_imports_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for many in project["optional-dependencies"].values() for one in many)]
    declared = {plain(re.split(r"[\[<>=!;\s]", one, maxsplit=1)[0]) for one in wanted}
    distributions = packages_distributions()

    assert set() == {
        name for name in imported_packages() if not {plain(one) for one in distributions.get(name, [])} & declared
    }
