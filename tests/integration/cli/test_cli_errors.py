"""Commands as scripts see them: what is on stdout, what on stderr, and how they end, mostly when things are wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from cli.main import main
from tests.fixtures.processes import free_port

PASSWORD = "a-password-for-tests"
NEED_A_STACK = [
    ("jobs",),
    ("jobs", "show", "01a22198-0000-7000-8000-000000000000"),
    ("orders",),
    ("trades",),
    ("trades", "stats"),
    ("orders", "show", "01a22198-0000-7000-8000-000000000000"),
    ("orders", "market", "MNQ", "buy", "1"),
    ("orders", "cancel", "--all"),
    ("positions",),
    ("positions", "close", "MNQ"),
    ("flatten", "--yes"),
    ("halt", "try"),
    ("resume", "try"),
    ("accounts",),
    ("accounts", "live", "1", "off"),
    ("risk",),
    ("bars",),
    ("metrics",),
    ("hooks", "list"),
    ("hooks", "add", "try"),
    ("hooks", "remove", "try"),
]
READ = [
    ("jobs",),
    ("orders",),
    ("positions",),
    ("trades",),
    ("bars",),
    ("metrics", "--minutes", "5"),
    ("hooks", "list"),
]


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit status."""

    status: int
    stdout: str
    stderr: str


class Shell:
    """A shell whose TICKWORK_HOME is empty. Commands run in this process, which saves each the start of a Python."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in [
            name for name in os.environ if name.startswith(("TICKWORK_", "DATABASE_URL", "REDIS_URL", "BROKER_URL"))
        ]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("TICKWORK_HOME", str(home))

    def run(self, *arguments: str, **env: str) -> Done:
        """Run one command to its end; an error that it does not foresee fails the test."""
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
        return self._done(int(str(status or 0)), *self._capsys.readouterr())

    def run_process(self, *arguments: str) -> Done:
        """Run one command as the process that it is for everybody else."""
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return self._done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, expected: int, **env: str) -> Any:
        """Return what a command with --json says: JSON on stdout, nothing on stderr."""
        done = self.run(*arguments, "--json", **env)
        assert (expected, "") == (done.status, done.stderr), done.stdout
        return json.loads(done.stdout)

    def _done(self, status: int, stdout: str, stderr: str) -> Done:
        assert PASSWORD not in stdout + stderr
        return Done(status, stdout, stderr)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def dead_database() -> str:
    """The URL of a database where nobody listens."""
    return f"postgresql://tickwork:{PASSWORD}@127.0.0.1:{free_port()}/tickwork"


@pytest.fixture
def half_dead(shell: Shell, dead_database: str) -> Iterator[Shell]:
    """A shell in whose home a stack runs, whose Postgres and Valkey are down just now."""
    home = Home(shell.home)
    home.prepare()
    lock = Lock(home.root)
    lock.acquire()
    broker = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    programs = [{"name": "postgres", "pid": None, "state": "backoff", "restarts": 4}]
    environment = {"DATABASE_URL": dead_database, "REDIS_URL": broker}
    write_state(home, {"pid": 1, "programs": programs, "urls": {"receiver": "http://x"}, "environment": environment})
    yield shell
    lock.close()


@pytest.mark.parametrize("command", NEED_A_STACK, ids=" ".join)
def test_a_command_without_a_stack_reports_how_to_start_one(shell: Shell, command: tuple[str, ...]) -> None:
    result = shell.json(*command, expected=1)

    assert ["error"] == list(result)
    assert f"no stack runs in {shell.home}: start one with `tickwork up`" in result["error"]


def test_an_error_without_json_is_one_line_on_stderr_and_nothing_on_stdout(shell: Shell) -> None:
    done = shell.run("jobs")

    assert (1, "") == (done.status, done.stdout)
    assert done.stderr.startswith("tickwork: no stack runs in ")
    assert 1 == len(done.stderr.splitlines())


def test_a_failing_process_writes_json_and_exits_with_its_status(shell: Shell) -> None:
    missing, unknown = shell.run_process("jobs", "--json"), shell.run_process("status", "--nonsense", "--json")

    assert [(1, ""), (2, "")] == [(done.status, done.stderr) for done in (missing, unknown)]
    assert [["error"], ["error"]] == [list(json.loads(done.stdout)) for done in (missing, unknown)]


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "psql", "-c", "SELECT 1")], ids=" ".join)
def test_database_commands_without_a_stack_are_refused(shell: Shell, command: tuple[str, ...]) -> None:
    done = shell.run(*command)

    assert (1, "") == (done.status, done.stdout)
    assert "no stack runs in" in done.stderr


def test_status_without_a_stack_exits_with_3_and_is_empty(shell: Shell) -> None:
    empty: dict[str, object] = {"programs": [], "urls": {}, "market": None, "feed": None, "accounts": []}
    assert empty == shell.json("status", expected=3)


def test_down_without_a_stack_succeeds(shell: Shell) -> None:
    assert {"stopped": False, "reason": f"no stack runs in {shell.home}"} == shell.json("down", expected=0)


def test_read_only_commands_do_not_create_a_home(shell: Shell) -> None:
    shell.run("status")
    shell.run("down")
    shell.run("jobs")

    assert not shell.home.exists()


def test_doctor_checks_this_computer_without_a_stack(shell: Shell) -> None:
    checks = shell.json("doctor", expected=0)["checks"]

    assert ["python", "home", "disk", "postgres program", "valkey program", "ports"] == [one["name"] for one in checks]
    assert {"fine"} == {one["state"] for one in checks}


def test_doctor_names_a_missing_server_program_and_exits_with_1(shell: Shell) -> None:
    checks = shell.json("doctor", expected=1, PG_BINDIR="/nowhere")["checks"]
    wrong = [one for one in checks if one["state"] == "wrong"]

    assert ["postgres program"] == [one["name"] for one in wrong]
    assert "PG_BINDIR is /nowhere" in wrong[0]["detail"]


def test_doctor_reports_servers_that_do_not_answer(half_dead: Shell) -> None:
    checks = half_dead.json("doctor", expected=1)["checks"]

    assert {"database", "redis"} == {one["name"] for one in checks if one["state"] == "wrong"}
    assert all("does not answer" in one["detail"] for one in checks if one["state"] == "wrong")


def test_status_shows_the_programs_while_postgres_is_down(half_dead: Shell) -> None:
    result = half_dead.json("status", expected=0)

    assert [("postgres", "backoff")] == [(one["name"], one["state"]) for one in result["programs"]]
    assert result["market"] is None


@pytest.mark.parametrize("command", READ, ids=" ".join)
def test_a_database_that_does_not_answer_is_reported(
    shell: Shell, dead_database: str, command: tuple[str, ...]
) -> None:
    result = shell.json(*command, expected=1, DATABASE_URL=dead_database)

    assert result["error"].startswith("the database does not answer: ")


@pytest.mark.parametrize("command", READ, ids=" ".join)
def test_with_json_a_command_writes_json_and_nothing_else(
    shell: Shell, database_url: str, command: tuple[str, ...]
) -> None:
    result = shell.json(*command, expected=0, DATABASE_URL=database_url)

    assert isinstance(result, dict)
    assert "error" not in result


def test_a_database_without_our_tables_is_refused_with_a_hint(shell: Shell, empty_database_url: str) -> None:
    result = shell.json("jobs", expected=1, DATABASE_URL=empty_database_url)

    assert "tickwork db upgrade" in result["error"]


def test_a_missing_object_is_named(shell: Shell, database_url: str) -> None:
    job = "01a22198-0000-7000-8000-000000000000"

    unknown_job = shell.json("jobs", "show", job, expected=1, DATABASE_URL=database_url)
    assert f"no job has the id {job}" in unknown_job["error"]
    unknown_hook = shell.json("hooks", "remove", "nobody", expected=1, DATABASE_URL=database_url)
    assert "no hook called 'nobody'" in unknown_hook["error"]
    no_receiver = shell.json("hooks", "add", "try", expected=1, DATABASE_URL=database_url)
    assert "TICKWORK_RECEIVER_URL" in no_receiver["error"]
    other_market = shell.run("db", "upgrade", "--market", "sim_seed_7", DATABASE_URL=database_url)
    assert 0 == other_market.status
    refused = shell.run("db", "upgrade", "--market", "sim_seed_8", DATABASE_URL=database_url)
    assert (1, True) == (refused.status, "belongs to the market sim_seed_7" in refused.stderr)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("status", "--nonsense"), "--nonsense"),
        (("down", "--nonsense"), "--nonsense"),
        (("nonsense",), "nonsense"),
        (("jobs", "show", "not-an-id"), "not-an-id"),
        (("jobs", "--state", "asleep"), "asleep"),
        (("jobs", "--limit", "0"), "--limit"),
        (("orders", "--state", "asleep"), "asleep"),
        (("bars", "--limit", "many"), "many"),
        (("metrics", "--minutes", "0"), "--minutes"),
        (("hooks", "nonsense"), "nonsense"),
        (("hooks", "add"), "NAME"),
        (("up", "--nonsense"), "--nonsense"),
        (("doctor", "too", "much"), "too"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_an_unknown_option_or_value_is_named_and_exits_with_2(
    shell: Shell, command: tuple[str, ...], named: str
) -> None:
    assert named in shell.json(*command, expected=2)["error"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--replay", "bars.csv", "--seed", "7"), "--replay and --seed name two markets"),
        (("--speed", "61"), "from 1 to 60"),
        (("--replay", "/nowhere/bars.csv"), "--replay: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_up_refuses_invalid_options_and_releases_the_home(shell: Shell, options: tuple[str, ...], result: str) -> None:
    done = shell.run_process("up", *options)

    assert (1, True) == (done.status, result in done.stderr)
    assert 3 == shell.run("status").status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKWORK_LIMITS", "perhaps"),
        ("TICKWORK_MAX_QUANTITY", "0"),
        ("DATABASE_URL", "mysql://127.0.0.1/x"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("BROKER_URL", "kafka://127.0.0.1"),
        ("TICKWORK_VENUE_URL", "http://api.topstepx.com"),
    ],
)
def test_an_invalid_setting_is_refused_with_its_name(shell: Shell, name: str, value: str) -> None:
    assert shell.json("jobs", expected=1, **{name: value})["error"].startswith(name)


def test_up_refuses_an_unusable_home_with_a_hint(shell: Shell) -> None:
    shell.home.write_text("")
    done = shell.run_process("up")

    assert (1, True) == (done.status, "set TICKWORK_HOME to a folder of your own" in done.stderr)


def test_help_lists_the_commands(shell: Shell) -> None:
    done = shell.run("--help")
    commands = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()]

    assert 0 == done.status
    assert {"up", "status", "down", "jobs", "orders", "bars", "hooks", "metrics", "db", "doctor"} <= set(commands)
