"""A killable stack for all chaos tests of one file."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.killable_stack import KillableStack


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder for servers that run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="tickwork-chaos-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def killable_stack(home: Path) -> Iterator[KillableStack]:
    """Servers of these tests' own, which they may kill; no other program runs yet."""
    killable_stack = KillableStack(home)
    yield killable_stack
    killable_stack.close()
