"""The guided start and former markets, with a stack that runs."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.stack import Stack


@pytest.fixture
def running(stack: Stack) -> Iterator[Stack]:
    stack.run("setup", "--yes", "--contracts", "MNQ", check=False)
    stack.up()
    yield stack
    stack.stop()


def markets(stack: Stack) -> dict[str, bool]:
    return {one["market"]: one["in_use"] for one in json.loads(stack.run("markets", "--json").stdout)["markets"]}


def test_setup_ends_with_a_hook_and_a_test_alert_and_can_be_repeated(running: Stack) -> None:
    done = running.run("setup", "--yes", "--contracts", "MNQ", "--hook", "first")
    again = running.run("setup", "--yes", "--contracts", "MNQ", "--hook", "first")

    assert "Its URL, shown only once" in done.stdout
    assert "accepted a test alert with 202" in done.stdout
    assert "first is there already" in again.stdout
    assert [("first",)] == running.rows("SELECT name FROM hook WHERE removed_at IS NULL AND name <> 'probe'")
    assert ["MNQ"] == [row[0] for row in running.rows("SELECT DISTINCT root FROM contract WHERE is_tracked")]


def test_a_former_market_is_listed_opened_and_deleted_but_never_the_one_in_use(running: Stack) -> None:
    first = "sim_seed_7"
    assert {first: True} == markets(running)
    running.stop()
    running.up("--fresh")
    second = f"{first}-2"
    assert {first: False, second: True} == markets(running)

    refused = running.run("markets", "delete", second, "--yes", check=False)
    assert (1, True) == (refused.returncode, "is in use" in refused.stderr)
    found = running.run("markets", "psql", first, "-Atc", "SELECT market FROM market_clock").stdout
    assert first == found.strip()
    writable = ("-c", "SET default_transaction_read_only = off")
    for statement in ("DELETE FROM market_clock", "SELECT * FROM hook_secret"):
        done = running.run("markets", "psql", first, *writable, "-c", statement, check=False)
        assert (1, True) == (done.returncode, "permission denied" in done.stderr)

    running.stop()
    running.up("--market", first)
    assert {first: True, second: False} == markets(running)
    folder = simulator_folder(running, second)
    assert folder.exists()
    running.run("markets", "delete", second, "--yes")
    assert {first: True} == markets(running)
    assert not folder.exists()


def test_a_market_that_is_not_there_is_refused(stack: Stack) -> None:
    done: subprocess.CompletedProcess[str] = stack.run("up", "--market", "sim_seed_99", check=False)

    assert 1 == done.returncode
    assert "no market is named 'sim_seed_99'" in done.stderr


def simulator_folder(stack: Stack, market: str) -> Path:
    return stack.home / "simulator" / f"tickwork_{market}"
