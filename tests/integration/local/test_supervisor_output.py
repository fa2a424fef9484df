"""The output of supervised programs: the terminal and the log files, and what no program may wait for."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from cli.local.processes.output import stream_output
from tests.fixtures.processes import until
from tests.integration.local.supervisor_env import SupervisorEnv

# A supervisor of one program that says 200,000 lines; a signal ends both.
SUPERVISOR = """
import signal, sys, time
from pathlib import Path
from cli.local.processes.program import Program
from cli.local.processes.supervisor import Supervisor
from cli.local.processes.terminal import Terminal
folder = Path(sys.argv[1])
terminal = Terminal(folder)
supervisor = Supervisor(folder, terminal.show, lambda: None)
ending = []
signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
speaks = ["sh", "-c", "seq 200000; exec sleep 600"]
supervisor.add(Program("speaker", speaks, {"PATH": "/usr/bin:/bin"}, lambda: True))
while not ending:
    supervisor.step()
    time.sleep(0.05)
terminal.say("stopping")
supervisor.stop(["speaker"])
supervisor.close()
terminal.flush()
(folder / "stopped").touch()
"""


def last_line(file: Path) -> str:
    return file.read_text().rpartition("\n")[0].rpartition("\n")[2] if file.exists() else ""


@pytest.mark.chaos
def test_a_terminal_that_takes_nothing_delays_neither_programs_nor_their_end(tmp_path: Path) -> None:
    """A pipe that is not read stands for a terminal after Ctrl-S."""
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as supervisor:
        try:
            until(lambda: last_line(tmp_path / "speaker.log") == "200000", what="the program's last line in its log")
            supervisor.send_signal(signal.SIGTERM)
            until((tmp_path / "stopped").exists, what="the end of the program")
            assert 0 == supervisor.wait(60)
        finally:
            supervisor.kill()


def test_a_terminal_that_takes_lines_again_says_how_many_it_missed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as supervisor:
        assert supervisor.stderr is not None
        descriptor, shown = supervisor.stderr.fileno(), bytearray()

        def has_said() -> bool:
            while select.select([descriptor], [], [], 0)[0]:
                shown.extend(os.read(descriptor, 65_536))
            return f"lines were not shown, as the terminal took none: read them in {tmp_path}".encode() in shown

        try:
            until(lambda: last_line(tmp_path / "speaker.log") == "200000", what="the program's last line in its log")
            until(has_said, what="the count")
        finally:
            supervisor.kill()
    lines = [line for line in shown.decode().splitlines() if line.startswith("speaker")]
    (note,) = [line for line in shown.decode().splitlines() if "not shown" in line]
    assert 200_000 == len(lines) + int(note.split()[0].replace(",", ""))
    assert [f"speaker         | {number}" for number in range(1, len(lines) + 1)] == lines


def test_the_table_of_addresses_is_rendered_while_the_terminal_is_stopped(tmp_path: Path) -> None:
    done = tmp_path / "done"
    renders = f"""
import time
from pathlib import Path
from cli.console.addresses import ADDRESSES, list_addresses
from cli.local.processes.terminal import Terminal
terminal = Terminal("logs")
terminal.say("first")
table = ADDRESSES.draw(list_addresses({{"receiver": "http://127.0.0.1:8000"}}))
terminal.say(table)
assert "receiver" in table
Path({str(done)!r}).touch()
"""
    ours, theirs = pty.openpty()
    termios.tcflow(theirs, termios.TCOOFF)  # Ctrl-S
    try:
        with subprocess.Popen([sys.executable, "-c", renders], stdout=theirs, stderr=theirs) as program:
            try:
                until(done.exists, what="the table")
            finally:
                program.kill()
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_log_rotates_while_its_program_runs(tmp_path: Path) -> None:
    shown: list[str] = []
    with subprocess.Popen(["sh", "-c", "seq 100000 100399; exec sleep 600"], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        output = stream_output("speaker", program.stdout, tmp_path, shown.append, most_bytes=1000)
        try:
            until(lambda: last_line(tmp_path / "speaker.log") == "100399", what="its last line")
            assert program.poll() is None
        finally:
            program.kill()
            output.join()

    written = {file.name: file.read_text().split() for file in tmp_path.iterdir()}
    assert {"speaker.log": 116, "speaker.log.1": 142, "speaker.log.2": 142} == {
        name: len(lines) for name, lines in written.items()
    }
    assert shown == [f"speaker         | {number}" for number in range(100_000, 100_400)]


def test_a_full_disk_is_said_once_and_stops_no_program(env: SupervisorEnv) -> None:
    (env.folder / "speaker.log").symlink_to("/dev/full")
    env.run("speaker", ["sh", "-c", "echo one; echo two; exec sleep 600"])
    until(lambda: "speaker         | two" in env.lines, what="its last line")

    assert 1 == len([line for line in env.lines if "speaker.log cannot be written; free space" in line])
