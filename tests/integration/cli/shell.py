"""A shell for tests of commands: runs them in this process or as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.fixtures.json_schemas import check_output

PASSWORD = "a-password-for-tests"


@dataclass(frozen=True)
class Done:
    """The output of a command and its exit status."""

    status: int
    stdout: str
    stderr: str


class Shell:
    """A shell with an empty TICKWORK_HOME; `run` runs a command in this process, which is faster than a new Python."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in [
            name for name in os.environ if name.startswith(("TICKWORK_", "DATABASE_URL", "REDIS_URL", "BROKER_URL"))
        ]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("TICKWORK_HOME", str(home))

    def run(self, *arguments: str, **env: str) -> Done:
        """Run one command to its end; an unexpected exception fails the test."""
        self._capsys.readouterr()
        status: object = None
        with self._monkeypatch.context() as inside:
            inside.setattr(sys, "argv", ["tickwork", *arguments])
            for name, value in env.items():
                inside.setenv(name, value)
            try:
                main()
            except SystemExit as end:
                status = end.code
        return self._done(arguments, int(str(status or 0)), *self._capsys.readouterr())

    def run_process(self, *arguments: str) -> Done:
        """Run one command as a process of its own."""
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return self._done(arguments, done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, expected: int, **env: str) -> Any:
        """Run a command with --json and return the JSON on stdout; stderr must be empty."""
        done = self.run(*arguments, "--json", **env)
        assert (expected, "") == (done.status, done.stderr), done.stdout
        return json.loads(done.stdout)

    def _done(self, arguments: Sequence[str], status: int, stdout: str, stderr: str) -> Done:
        assert PASSWORD not in stdout + stderr
        check_output(arguments, stdout)
        return Done(status, stdout, stderr)
