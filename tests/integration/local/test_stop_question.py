"""Ctrl-C with a position open: a question at a terminal, and no wait elsewhere."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.fixtures.processes import until

# The main loop of `up`, in a session of its own whose terminal is stdin.
PROGRAM = """
import fcntl, os, signal, sys, termios, time
from cli.local.processes.stop_question import StopQuestion
os.setsid()
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
position = {"contract_id": "CON.F.US.MNQ.Z26", "quantity": -2, "stopped_quantity": 1}
found = [{"account_id": 20001, "account": "PRAC", "positions": [position][: int(sys.argv[1])], "orders": []}]
question, interrupts = StopQuestion(lambda line: print(line, file=sys.stderr, flush=True)), []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
print("started", file=sys.stderr, flush=True)
is_stopping = False
while not is_stopping:
    if interrupts:
        interrupts.clear()
        is_stopping = question.interrupt(lambda: found)
    is_stopping = is_stopping or question.is_answered()
    time.sleep(0.02)
"""
WARNING = (
    "Warning: open now: account 20001 (PRAC): SHORT 2 MNQ Z26, NO stop works at the venue for 1 of 2. "
    "A stop of the stack ends what watches it: "
)


class AtTerminal:
    """The program at a terminal, and what it has shown there."""

    def __init__(self, positions: int) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-c", PROGRAM, str(positions)]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._shown = bytearray()
        self.wait_for("started")

    def type(self, text: str) -> None:
        """Type at its keyboard."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until it shows the text, and forget what it has shown."""

        def has_shown() -> bool:
            while select.select([self._ours], [], [], 0)[0]:
                self._shown.extend(os.read(self._ours, 65_536))
            return text.encode() in self._shown

        until(has_shown, what=text)
        self._shown.clear()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def at_terminal() -> Iterator[AtTerminal]:
    program = AtTerminal(positions=1)
    yield program
    program.close()


def test_it_goes_on_without_a_yes_and_stops_with_one(at_terminal: AtTerminal) -> None:
    at_terminal.type("\x03")
    at_terminal.wait_for("Type y and Enter")
    at_terminal.type("n\n")
    at_terminal.wait_for("The stack runs on.")
    at_terminal.type("\x03")
    at_terminal.wait_for("Type y and Enter")
    assert at_terminal.process.poll() is None
    at_terminal.type("y\n")

    assert 0 == at_terminal.process.wait(60)


def test_a_second_ctrl_c_is_a_yes(at_terminal: AtTerminal) -> None:
    at_terminal.type("\x03")
    at_terminal.wait_for(WARNING)
    at_terminal.type("\x03")

    assert 0 == at_terminal.process.wait(60)


def test_nothing_is_asked_without_a_position() -> None:
    flat = AtTerminal(positions=0)
    try:
        flat.type("\x03")

        assert 0 == flat.process.wait(60)
    finally:
        flat.close()


def test_without_a_terminal_it_warns_and_stops() -> None:
    command = [sys.executable, "-c", PROGRAM, "1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        assert "started\n" == program.stderr.readline()
        program.send_signal(signal.SIGINT)

        assert 0 == program.wait(60)
        assert program.stderr.read().startswith(WARNING)
