"""Commands without a stack, and with a stack whose servers are down."""

import pytest

from tests.integration.cli.shell import Shell

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


@pytest.mark.parametrize("command", NEED_A_STACK, ids=" ".join)
def test_a_command_without_a_stack_reports_how_to_start_one(shell: Shell, command: tuple[str, ...]) -> None:
    result = shell.json(*command, expected=1)

    assert ["error"] == list(result)
    assert f"no stack runs in {shell.home}: start one with `tickwork up`" in result["error"]


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "psql", "-c", "SELECT 1")], ids=" ".join)
def test_database_commands_without_a_stack_are_refused(shell: Shell, command: tuple[str, ...]) -> None:
    done = shell.run(*command)

    assert (1, "") == (done.status, done.stdout)
    assert "no stack runs in" in done.stderr


def test_status_without_a_stack_exits_with_3_and_is_empty(shell: Shell) -> None:
    nothing: dict[str, object] = {
        "programs": [],
        "database": None,
        "urls": {},
        "market": None,
        "clock": None,
        "risk_monitor": None,
        "feed": None,
        "public_url": None,
        "spool": {
            "folder": str(shell.home / "spool"),
            "waiting_files": 0,
            "waiting_since": None,
            "rejected_files": 0,
            "rejected_since": None,
        },
        "memory": [],
        "alarms": [],
        "problems": [],
    }
    assert nothing == shell.json("status", expected=3)


def test_down_without_a_stack_succeeds(shell: Shell) -> None:
    nothing = {"home": str(shell.home), "was_running": False, "stopped_after_s": None, "left_open": None}
    assert nothing == shell.json("down", expected=0)


def test_read_only_commands_do_not_create_a_home(shell: Shell) -> None:
    shell.run("status")
    shell.run("down")
    shell.run("jobs")

    assert not shell.home.exists()


def test_doctor_checks_this_computer_without_a_stack(shell: Shell) -> None:
    checks = shell.json("doctor", expected=0, TICKWORK_INHIBIT_SLEEP="off")["checks"]

    names = ["python", "home", "disk", "sleep", "spool", "postgres program", "valkey program", "ports", "stack"]
    assert names == [one["name"] for one in checks]
    assert "none runs, so no alert is taken: start it with `tickwork up`" == checks[-1]["detail"]
    assert {"fine"} == {one["state"] for one in checks}


def test_doctor_names_a_missing_server_program_and_exits_with_1(shell: Shell) -> None:
    checks = shell.json("doctor", expected=1, PG_BINDIR="/nowhere")["checks"]
    wrong = [one for one in checks if one["state"] == "wrong"]

    assert ["postgres program"] == [one["name"] for one in wrong]
    assert "PG_BINDIR is /nowhere" in wrong[0]["detail"]


def test_an_invalid_settings_file_is_one_failed_check_of_doctor_and_stops_no_other(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "settings.toml").write_text("max_quantity = 0\n")
    checks = shell.json("doctor", expected=1, TICKWORK_INHIBIT_SLEEP="off")["checks"]

    assert ["settings"] == [one["name"] for one in checks if one["state"] == "wrong"]
    assert "settings.toml, line 1: invalid max_quantity '0'" in checks[-1]["detail"]
    assert "valkey program" in {one["name"] for one in checks}


def test_an_invalid_settings_file_stops_no_command_about_a_running_stack(half_dead: Shell) -> None:
    (half_dead.home / "settings.toml").write_text("max_quantity = 0\n")

    assert 0 == half_dead.run("logs").status
    assert "unknown program 'postgre': did you mean postgres?" in half_dead.run("restart", "postgre").stderr
    checks = half_dead.json("doctor", expected=1)["checks"]
    assert ["database", "settings", "broker", "cache"] == [one["name"] for one in checks if one["state"] == "wrong"]


def test_doctor_reports_servers_that_do_not_answer(half_dead: Shell) -> None:
    checks = half_dead.json("doctor", expected=1)["checks"]

    assert "stack" not in {one["name"] for one in checks}
    assert {"database", "broker", "cache"} == {one["name"] for one in checks if one["state"] == "wrong"}
    assert all("does not answer" in one["detail"] for one in checks if one["state"] == "wrong")


def test_status_shows_the_programs_while_postgres_is_down(half_dead: Shell) -> None:
    result = half_dead.json("status", expected=0)

    assert [("postgres", "backoff")] == [(one["name"], one["state"]) for one in result["programs"]]
    assert (None, False) == (result["market"], result["database"]["is_answering"])
