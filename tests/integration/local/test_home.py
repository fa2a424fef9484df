"""The home of a stack: file modes, atomic replacement, credentials, state and lock."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from cli.local.home.lock import AlreadyRunningError, Lock, find_holder
from cli.local.home.state import read_state, write_state
from shared.errors import SettingsError
from shared.private_file import write_private
from tests.fixtures.processes import until

# Holds the lock of a home until its input ends.
HOLDER = """
import sys
from pathlib import Path
from cli.local.home.lock import Lock
lock = Lock(Path(sys.argv[1]))
lock.acquire()
print("acquired", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def read_mode(file: Path) -> int:
    return stat.S_IMODE(file.lstat().st_mode)


@contextmanager
def hold(home: Home) -> Iterator["subprocess.Popen[bytes]"]:
    """Hold the lock of the home in another process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert b"acquired\n" == process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_every_user_can_enter_a_home_and_only_its_owner_reads_logs_and_tracebacks(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    before = os.umask(0o077)
    try:
        home.prepare()
    finally:
        os.umask(before)

    assert (0o755, 0o700, 0o700) == (read_mode(home.root), read_mode(home.logs), read_mode(home.run))


def test_prepare_restores_the_modes_of_a_home(home: Home) -> None:
    home.root.chmod(0o700)
    home.logs.chmod(0o777)
    home.prepare()

    assert (0o755, 0o700) == (read_mode(home.root), read_mode(home.logs))


def test_a_file_in_place_of_a_home_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for root in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(SettingsError, match="set TICKWORK_HOME") as refused:
            Home(root).prepare()
        assert str(root) in str(refused.value)


def test_a_private_file_is_private_whatever_the_umask_and_the_old_mode(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("open to all")
    file.chmod(0o666)
    before = os.umask(0)
    try:
        write_private(file, "mine")
    finally:
        os.umask(before)

    assert ("mine", 0o600) == (file.read_text(), read_mode(file))


def test_a_reader_of_a_private_file_sees_a_whole_text_while_it_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    texts = {letter * 200_000 for letter in "abc"}
    write_private(file, "a" * 200_000)
    ended = threading.Event()

    def replace() -> None:
        for _ in range(60):
            for text in texts:
                write_private(file, text)
        ended.set()

    writer = threading.Thread(target=replace)
    writer.start()
    torn = 0
    while not ended.is_set():
        torn += file.read_text() not in texts
    writer.join()

    assert 0 == torn
    assert [file] == list(tmp_path.iterdir())


def test_an_open_file_keeps_the_old_text(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_private(file, "old")
    with file.open() as opened:
        write_private(file, "new")
        assert "old" == opened.read()


@pytest.mark.parametrize("link_name", ["secret", ".secret.new"])
def test_a_link_in_the_place_of_a_private_file_is_never_followed(tmp_path: Path, link_name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / link_name).symlink_to(outside)
    write_private(folder / "secret", "mine")

    assert "precious" == outside.read_text()
    assert not (folder / "secret").is_symlink()
    assert ("mine", 0o600) == ((folder / "secret").read_text(), read_mode(folder / "secret"))


def test_a_private_file_can_be_written_after_a_writer_was_killed(tmp_path: Path) -> None:
    (tmp_path / ".secret.new").write_text("half a te")
    write_private(tmp_path / "secret", "whole")

    assert "whole" == (tmp_path / "secret").read_text()


def test_credentials_are_generated_once_in_a_private_file(home: Home) -> None:
    credentials = load_credentials(home)

    assert 3 == len({credentials.postgres, credentials.valkey, credentials.venue})
    assert min(map(len, (credentials.postgres, credentials.valkey, credentials.venue))) >= 32
    assert 0o600 == read_mode(home.root / "secrets.json")
    assert credentials == load_credentials(home)


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "7", '{"postgres": "a"}'])
def test_damaged_credentials_are_refused_and_never_replaced(home: Home, content: str) -> None:
    file = home.root / "secrets.json"
    file.write_text(content)

    with pytest.raises(SettingsError, match="is damaged") as refused:
        load_credentials(home)
    assert str(file) in str(refused.value)
    assert content == file.read_text()


def test_the_state_is_private_and_readable(home: Home) -> None:
    write_state(home, {"pid": 7})

    assert {"pid": 7} == read_state(home)
    assert 0o600 == read_mode(home.root / "state.json")


@pytest.mark.parametrize("content", ["", '{"pid": 7', "\xff"])
def test_an_unreadable_state_is_none(home: Home, content: str) -> None:
    (home.root / "state.json").write_text(content, encoding="latin-1")

    assert read_state(home) is None


def test_a_second_lock_reports_the_process_of_the_first(home: Home) -> None:
    with hold(home) as first:
        second = Lock(home.root)
        with pytest.raises(AlreadyRunningError) as refused:
            second.acquire()
        second.close()

        assert first.pid == refused.value.pid
        assert first.pid == find_holder(home.root)


def test_a_missing_home_has_no_holder(tmp_path: Path) -> None:
    assert find_holder(tmp_path / "nowhere") is None


def test_a_stale_lock_file_has_no_holder(home: Home) -> None:
    (home.root / "lock").write_text(f"{os.getpid()}\n")

    assert find_holder(home.root) is None


def test_a_lock_is_free_when_its_holder_was_killed(home: Home) -> None:
    with hold(home) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()

        assert find_holder(home.root) is None
        lock = Lock(home.root)
        lock.acquire()
        assert os.getpid() == find_holder(home.root)
        lock.close()
    assert find_holder(home.root) is None


def test_child_processes_do_not_inherit_a_lock(home: Home) -> None:
    lock = Lock(home.root)
    lock.acquire()
    with subprocess.Popen(["sleep", "60"]) as child:
        lock.close()
        try:
            assert find_holder(home.root) is None
        finally:
            child.kill()


def test_a_longer_old_pid_is_overwritten_completely(home: Home) -> None:
    (home.root / "lock").write_text("4194303999\n")
    lock = Lock(home.root)
    lock.acquire()

    assert f"{os.getpid()}\n" == (home.root / "lock").read_text()
    lock.close()


def test_find_holder_never_blocks_an_acquire(home: Home) -> None:
    ended = threading.Event()

    def poll_holder() -> None:
        while not ended.is_set():
            find_holder(home.root)

    poller = threading.Thread(target=poll_holder)
    poller.start()
    try:
        for _ in range(20):
            lock = Lock(home.root)
            lock.acquire()
            lock.close()
    finally:
        ended.set()
        poller.join()


def test_a_holder_is_found_until_it_ends(home: Home) -> None:
    with hold(home) as first:
        assert first.stdin is not None
        first.stdin.close()
        until(lambda: find_holder(home.root) is None, what="the end of the holder")
        assert 0 == first.wait(30)


def test_the_credentials_have_the_names_of_the_programs_and_the_roles(home: Home) -> None:
    load_credentials(home)

    assert {"postgres", "valkey", "venue", "programs", "reader"} == set(
        json.loads((home.root / "secrets.json").read_text())
    )
