"""Commands as scripts see them: stdout, stderr and exit status, mostly of errors."""

import json

import pytest

from tests.integration.cli.shell import Shell

READ = [
    ("jobs",),
    ("orders",),
    ("positions",),
    ("trades",),
    ("bars",),
    ("metrics", "--last", "5m"),
    ("hooks", "list"),
]


def test_an_error_without_json_is_one_line_on_stderr_and_nothing_on_stdout(shell: Shell) -> None:
    done = shell.run("jobs")

    assert (1, "") == (done.status, done.stdout)
    assert done.stderr.startswith("tickwork: no stack runs in ")
    assert 1 == len(done.stderr.splitlines())


def test_a_failing_process_writes_json_and_exits_with_its_status(shell: Shell) -> None:
    missing, unknown = shell.run_process("jobs", "--json"), shell.run_process("status", "--nonsense", "--json")

    assert [(1, ""), (2, "")] == [(done.status, done.stderr) for done in (missing, unknown)]
    assert [["error"], ["error"]] == [list(json.loads(done.stdout)) for done in (missing, unknown)]


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
    assert f"no job id begins or ends with {job.replace('-', '')}" in unknown_job["error"]
    unknown_hook = shell.json("hooks", "remove", "missing", expected=1, DATABASE_URL=database_url)
    assert "no hook is named 'missing'" in unknown_hook["error"]
    no_receiver = shell.json("hooks", "add", "try", expected=1, DATABASE_URL=database_url)
    assert "TICKWORK_PUBLIC_URL" in no_receiver["error"]
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
        (("metrics", "--last", "0"), "--last"),
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
    ("options", "message"),
    [
        (("--replay", "bars.csv", "--seed", "7"), "--replay and --seed choose two markets"),
        (("--speed", "61"), "from 1 to 60"),
        (("--replay", "/nowhere/bars.csv"), "--replay: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_up_refuses_invalid_options_and_releases_the_home(shell: Shell, options: tuple[str, ...], message: str) -> None:
    done = shell.run_process("up", *options)

    assert (1, True) == (done.status, message in done.stderr)
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
    assert shell.json("jobs", expected=1, **{name: value})["error"].startswith(f"invalid {name}")


def test_up_refuses_an_unusable_home_with_a_hint(shell: Shell) -> None:
    shell.home.write_text("")
    done = shell.run_process("up")

    assert (1, True) == (done.status, "set TICKWORK_HOME to a folder of your own" in done.stderr)
