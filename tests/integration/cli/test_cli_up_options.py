"""The options of `tickwork up` are checked before anything is created or started."""

import re
from pathlib import Path

import pytest

from cli.commands.up import _parse_chicago_time
from cli.local.market import check_speed, choose_market
from shared.config import load_settings
from tests.integration.cli.shell import Shell

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--at 2026-03-08T17:00 --speed 60",
            "use --speed 45 or less, fewer roots (`tickwork config set contracts ROOTS`), or --limits off",
        ),
        ("--speed 61", "invalid --speed '61': expected a whole number from 1 to 60"),
        ("--at 2026-11-21T06:00", "and opens at 2026-11-22T17:00"),
        ("--at yesterday", "invalid --at 'yesterday': expected a time such as 2026-03-08T17:00, from 1970 to 2099"),
        ("--at 0001-01-01T00:00+14:00", "invalid --at '0001-01-01T00:00+14:00': expected a time such as"),
        ("--slots fast=1", "fast"),
        ("--replay nothing.csv", "--replay: "),
    ],
)
def test_an_option_is_refused_before_a_server_is_started(shell: Shell, options: str, message: str) -> None:
    refused = shell.run("up", *options.split())

    assert (1, True) == (refused.status, message in refused.stderr), refused.stderr
    assert not shell.home.exists()


def test_a_root_that_does_not_exist_is_refused_before_a_server_is_started(shell: Shell, tmp_path: Path) -> None:
    refused = shell.run("up", TICKWORK_CONTRACTS="MNQ,MMQ")
    assert (1, True) == (refused.status, "invalid TICKWORK_CONTRACTS 'MMQ': expected roots" in refused.stderr)
    assert not shell.home.exists()

    file = tmp_path / "settings.toml"
    file.write_text('max_quantity = 1\ncontracts = ["MMQ"]\n')
    refused = shell.run("up", TICKWORK_SETTINGS_FILE=str(file))
    assert f"{file}, line 2: invalid contracts 'MMQ'" in refused.stderr


def test_a_setting_is_quoted_as_it_was_typed(shell: Shell) -> None:
    assert (
        "invalid TICKWORK_LOG_LEVEL 'loud': expected one of DEBUG" in shell.run("up", TICKWORK_LOG_LEVEL="loud").stderr
    )


def test_fresh_with_a_database_of_your_own_is_refused_before_a_server_is_started(shell: Shell) -> None:
    refused = shell.run("up", "--fresh", DATABASE_URL="postgresql://me@127.0.0.1:9/tickwork")

    assert "set DATABASE_URL to an empty database" in refused.stderr
    assert not shell.home.exists()


def test_every_speed_and_start_that_the_documentation_names_works() -> None:
    lines = [
        line for page in PAGES for line in page.read_text().splitlines() if re.search(r"\btickwork up|UP_ARGS", line)
    ]
    named = [found for line in lines if (found := re.search(r"(?:--at (\S+) )?--speed (\d+)", line))]
    assert named
    for found in named:
        market = choose_market(
            load_settings({}), starts_market_at=_parse_chicago_time(found[1]) if found[1] else None, speed=int(found[2])
        )
        if "--replay" not in found.string:  # one contract
            check_speed(market, int(found[2]), limits=True)
