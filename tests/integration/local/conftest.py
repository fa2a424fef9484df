"""Fixtures of the tests of embedded servers and the supervisor."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cli.local.home.folder import Home
from tests.integration.local.embedded import postgres
from tests.integration.local.supervisor_env import SupervisorEnv


@pytest.fixture
def server_home(open_folder: Path) -> Home:
    home = Home(open_folder / f"home-{uuid4().hex[:8]}")
    home.prepare()
    return home


@pytest.fixture(scope="module")
def cluster_home(open_folder: Path) -> Home:
    """A home with a cluster, shared by the tests of a module."""
    home = Home(open_folder / f"cluster-{uuid4().hex[:8]}")
    home.prepare()
    postgres(home)
    return home


@pytest.fixture
def env(tmp_path: Path) -> Iterator[SupervisorEnv]:
    env = SupervisorEnv(tmp_path)
    yield env
    env.supervisor.stop([child.program.name for child in env.supervisor.children])
    env.supervisor.close()
