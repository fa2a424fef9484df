"""The state of a stack while its disk is full: `up` goes on, says it once, and writes the state later."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.state import Json, StateWriter, read_state


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process take a byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_once_and_the_state_is_written_when_there_is_space(home: Home) -> None:
    said: list[str] = []
    writer = StateWriter(home, said.append)
    writer.write(lambda: {"pid": 1})
    writer.mark_changed()
    with full_disk():
        for _ in range(3):
            writer.write(lambda: {"pid": 2})
    assert {"pid": 1} == read_state(home)
    writer.write(lambda: {"pid": 3})

    assert {"pid": 3} == read_state(home)
    (line,) = said
    assert f"{home.root / 'state.json'} cannot be written" in line


def test_each_full_disk_is_said(home: Home) -> None:
    said: list[str] = []
    writer = StateWriter(home, said.append)
    for pid in range(2):
        with full_disk():
            writer.mark_changed()
            writer.write(lambda: {"pid": 0})
        writer.write(lambda pid=pid: {"pid": pid})  # type: ignore[misc]  # a default, as the loop changes it

    assert 2 == len(said)


def test_a_change_while_the_state_is_composed_is_written_next(home: Home) -> None:
    writer = StateWriter(home, lambda _: None)

    def compose() -> Json:
        writer.mark_changed()  # as the thread of the probes does
        return {"pid": 1}

    writer.write(compose)
    writer.write(lambda: {"pid": 2})
    writer.write(lambda: {"pid": 3})

    assert {"pid": 2} == read_state(home)
