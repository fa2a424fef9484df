"""The plant of the chaos tests of one file."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.killable_stack import Plant


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder that the servers can reach, which run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="tickwork-chaos-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def plant(home: Path) -> Iterator[Plant]:
    """Servers of these tests' own, which they may kill; nothing else has been started."""
    plant = Plant(home)
    yield plant
    plant.close()
