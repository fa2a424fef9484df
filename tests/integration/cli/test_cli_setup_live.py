"""`tickwork setup live`, end to end against the simulator, which also plays the real venue."""

import signal

import pytest

from cli.client.practice_order import PracticeOrder
from cli.commands import setup
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE, CLOSE = "/api/Order/place", "/api/Position/closeContract"


def read_name(worker_env: WorkerEnv) -> str:
    name: str = worker_env.rows("SELECT name FROM account")[0][0]
    return name


@pytest.fixture
def live(worker_env: WorkerEnv) -> WorkerEnv:
    """The worker environment as one at the real venue, with live orders off."""
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    return worker_env


def test_a_practice_order_is_filled_protected_and_closed(operator: RunCommand, worker_env: WorkerEnv) -> None:
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes")

    assert 0 == done.status, done
    lines = [line.split() for line in done.out.splitlines() if line[:2].strip().isdigit() and "." in line[:3]]
    names = ["credentials", "account", "session", "position", "live", "entry", "stop", "target", "close"]
    assert names == [words[1] for words in lines]
    assert all("OK" in words for words in lines), lines
    steps = [f"{number}." for number in range(1, len(names) + 1)]
    assert steps == [words[0] for words in map(str.split, done.out.splitlines()[2:-1])], "nothing between the steps"
    assert "" == done.error
    assert "A practice order at the simulator: no order reaches real money." in done.out
    (order,) = worker_env.venue.requests(PLACE)
    assert (MNQ, 1, {"ticks": -40, "type": 4}) == (order["contractId"], order["size"], order["stopLossBracket"])
    assert 0 == worker_env.venue.position(MNQ)
    assert [] == worker_env.venue.post("/api/Order/searchOpen", accountId=20001)["orders"]


def test_the_contract_is_by_default_the_first_of_the_setting(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKWORK_CONTRACTS", "NQ,MNQ,MES")
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes")

    assert (0, True) == (done.status, "It buys 1 MNQ at the market" in done.words), done
    assert [MNQ] == [order["contractId"] for order in worker_env.venue.requests(PLACE)]
    monkeypatch.setenv("TICKWORK_CONTRACTS", "NQ")
    worker_env.execute("UPDATE contract SET is_tracked = root = 'NQ'")
    refused = operator("setup", "live", "--yes").error
    assert "no micro is tracked: run `tickwork config set contracts NQ,MNQ`, then `tickwork down`" in refused


def test_an_account_on_position_brackets_learns_which_setting_to_turn_on(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.venue.set_account(bracket_mode="position")
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes")

    assert 1 == done.status
    assert "6. entry FAILED the venue rejected its bracket" in done.words
    assert "turn on Auto OCO Brackets for this account" in done.words
    assert "7. close OK flat" in done.words
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_after_the_fill_leaves_nothing_open(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(PracticeOrder, "_find_leg", lambda *_: signal.raise_signal(number))
    before = signal.getsignal(number)
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes")

    assert 0 != done.status
    assert "entry OK bought 1" in done.words
    assert 0 == worker_env.venue.position(MNQ)
    assert before == signal.getsignal(number)


def test_a_close_that_the_venue_does_not_confirm_says_what_is_open_and_how_to_close_it(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.venue.faults(path=CLOSE, kind="reject", error_code=5, message="no", count=None)
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes", "--wait", "20")
        worker_env.venue.remove_faults()

    assert 1 == done.status
    assert "close FAILED" in done.words
    assert "NOT CONFIRMED FLAT. Open as far as known:" in done.words
    assert "LONG 1 MNQ H26" in done.words
    assert "Run `tickwork flatten --account 20001`" in done.words


def test_at_the_real_venue_a_person_types_the_name_and_answers(operator: RunCommand, live: WorkerEnv) -> None:
    with worker_at(live):
        done = operator("setup", "live", typed=f"{read_name(live)}\ny\n")

    assert 0 == done.status, done
    assert "trades real money on this account" in done.error
    assert "live orders OK turned on" in done.words
    assert "`tickwork accounts live 20001 off` turns them off" in done.words
    acts = live.rows("SELECT act, reason FROM audit ORDER BY id")
    assert [("live_on", "tickwork setup live"), ("flatten", "tickwork setup live")] == acts
    assert 0 == live.venue.position(MNQ)


@pytest.mark.parametrize(("typed", "is_on"), [("no such name\n", False), ("{name}\nn\n", True)])
def test_a_person_who_says_no_sends_nothing_and_learns_whether_live_orders_are_on(
    operator: RunCommand, live: WorkerEnv, typed: str, *, is_on: bool
) -> None:
    with worker_at(live):
        done = operator("setup", "live", typed=typed.format(name=read_name(live)))

    assert 1 == done.status
    assert [] == live.venue.requests(PLACE)
    assert [(is_on,)] == live.rows("SELECT live_orders FROM account")
    assert is_on is ("`tickwork accounts live 20001 off` turns them off" in done.words)


def test_yes_is_refused_at_the_real_venue_and_a_script_without_it_everywhere(
    operator: RunCommand, live: WorkerEnv
) -> None:
    assert "--yes is for the simulator only" in operator("setup", "live", "--yes").error
    assert "there is no terminal to ask at" in operator("setup", "live").error
    assert [] == live.venue.requests(PLACE)


def test_an_account_that_is_not_for_practice_is_only_taken_by_name(operator: RunCommand, live: WorkerEnv) -> None:
    live.execute("UPDATE account SET name = '50KTC-V2-1'")
    assert "no practice account may trade" in operator("setup", "live", typed="").error

    refused = operator("setup", "live", "--account", "20001", typed="50KTC\n")
    assert "is no practice account: the order counts there" in refused.words
    assert "expected 50KTC-V2-1: nothing was sent" in refused.words
    live.execute("UPDATE account SET name = 'LIVE-1'")
    assert "unknown stage, so it is never traded" in operator("setup", "live", "--account", "20001", typed="y\n").error
    assert [] == live.venue.requests(PLACE)


def test_a_position_that_is_held_already_is_not_closed_with_the_practice_order(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    with worker_at(worker_env):
        done = operator("setup", "live", "--yes")

    assert 1 == done.status
    assert "position FAILED" in done.words
    assert 1 == worker_env.venue.position(MNQ)


def test_a_position_that_is_opened_while_a_person_is_asked_is_not_closed(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> bool:
        worker_env.write_quote()
        worker_env.entry_alert()
        held = "SELECT 1 FROM position WHERE quantity = 1"
        until(lambda: worker_env.rows(held) != [], 60, "the position")
        return True

    monkeypatch.setattr(setup, "_is_confirmed", answer)
    with worker_at(worker_env):
        done = operator("setup", "live", typed="y\n")

    assert 1 == done.status
    assert "position FAILED" in done.words
    assert "close OK" not in done.words
    assert 1 == worker_env.venue.position(MNQ)


def test_only_a_micro_is_traded(operator: RunCommand, worker_env: WorkerEnv) -> None:
    done = operator("setup", "live", "--yes", "--contract", "NQ")

    assert "invalid --contract 'NQ': expected a micro contract, such as MNQ" in done.error
    assert [] == worker_env.venue.requests(PLACE)
