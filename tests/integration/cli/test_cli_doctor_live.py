"""The checks of `tickwork doctor` where live orders are on: what would make each of them fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cli.client.live_checks import CheckWarningError, describe_clock
from shared.clock import machine_now
from shared.errors import SettingsError
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import run_doctor

Checks = dict[str, tuple[str, str]]


def check_all(operator: RunCommand, worker_env: WorkerEnv, **environment: str) -> Checks:
    """Return state and detail of each check of a running stack."""
    found = run_doctor(operator, worker_env, **environment)
    return {name: (one["state"], one["detail"]) for name, one in found.items()}


@pytest.fixture
def live(worker_env: WorkerEnv) -> WorkerEnv:
    """The worker environment as one at the real venue, with live orders on."""
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    worker_env.execute("UPDATE account SET live_orders = true, live_since_at = now()")
    return worker_env


@contextmanager
def venue_with_clock(ahead: timedelta) -> Iterator[str]:
    """Serve answers whose Date is `ahead` of this computer's time; yield the address."""

    class _Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  # as http.server has it
            return super().date_time_string((machine_now() + ahead).timestamp())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_at_the_simulator_only_the_contracts_are_checked(operator: RunCommand, worker_env: WorkerEnv) -> None:
    found = check_all(operator, worker_env)

    assert ("fine", "CON.F.US.MNQ.H26: open") == found["contract MNQ"]
    assert not {name for name in found if name.startswith(("clock", "account 2", "brackets"))}


def test_an_account_that_another_installation_trades_is_a_warning(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert "fine" == check_all(operator, worker_env)["installations"][0]
    market_now = worker_env.venue.clock.now().isoformat().replace(":", "\\:")
    worker_env.execute(f"UPDATE account SET other_installation = '0badcafe', other_ordered_market_at = '{market_now}'")

    state, detail = check_all(operator, worker_env)["installations"]
    assert "warning" == state
    assert "(20001): another installation of Tickwork (0badcafe) placed an order on it" in detail
    assert "`tickwork accounts take-over 20001`" in detail


def test_an_account_whose_live_orders_are_off_is_not_checked(operator: RunCommand, live: WorkerEnv) -> None:
    live.execute("UPDATE account SET live_orders = false")

    assert not {name for name in check_all(operator, live) if name.startswith(("clock", "account 2", "brackets"))}


def test_without_an_entry_the_bracket_setting_is_unknown_and_doctor_says_how_to_check_it(
    operator: RunCommand, live: WorkerEnv
) -> None:
    state, detail = check_all(operator, live)["brackets 20001"]

    assert "warning" == state
    assert "not known whether the firm's setting Auto OCO Brackets is on" in detail
    assert "`tickwork setup live --account 20001`" in detail


def test_an_accepted_bracket_shows_that_the_setting_is_right(operator: RunCommand, live: WorkerEnv) -> None:
    live.entry_alert()
    live.run_due_jobs()

    state, detail = check_all(operator, live)["brackets 20001"]
    assert "fine" == state
    assert "accepted the bracket of its entry at" in detail


def test_a_bracket_that_the_venue_rejects_shows_the_wrong_setting_until_one_is_accepted(
    operator: RunCommand, live: WorkerEnv
) -> None:
    live.venue.set_account(bracket_mode="position")
    live.entry_alert()
    live.run_due_jobs()

    state, detail = check_all(operator, live)["brackets 20001"]
    assert "wrong" == state
    assert "(20001): the venue rejected the bracket of its entry" in detail
    assert "turn on Auto OCO Brackets for this account" in detail

    live.venue.set_account(bracket_mode="autoOCO")
    live.entry_alert()
    live.run_due_jobs()
    assert "fine" == check_all(operator, live)["brackets 20001"][0]


def test_a_rejection_for_another_reason_shows_nothing_about_the_setting(operator: RunCommand, live: WorkerEnv) -> None:
    live.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="Invalid price.")
    live.entry_alert()
    live.run_due_jobs()
    assert [("REJECTED",)] == live.rows("SELECT state FROM orders WHERE role = 'ENTRY'")

    assert "warning" == check_all(operator, live)["brackets 20001"][0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("name = 'LIVE-1'", "LIVE-1: unknown stage, so it is never traded"),
        ("can_trade = false", "the venue does not let it trade"),
    ],
)
def test_a_live_account_that_may_not_be_traded_is_wrong(
    operator: RunCommand, live: WorkerEnv, change: str, expected: str
) -> None:
    assert "fine" == check_all(operator, live)["account 20001"][0]
    live.execute(f"UPDATE account SET {change}")

    state, detail = check_all(operator, live)["account 20001"]
    assert "wrong" == state
    assert expected in detail


def test_a_root_without_an_active_month_is_wrong(operator: RunCommand, live: WorkerEnv) -> None:
    live.execute("UPDATE contract SET is_active = false, is_tracked = false")

    state, detail = check_all(operator, live, TICKWORK_CONTRACTS="MNQ")["contract MNQ"]
    assert "wrong" == state
    assert "MNQ: the venue offers no single active month of it" in detail


def test_a_closed_market_is_no_fault_and_doctor_says_when_it_opens(operator: RunCommand, live: WorkerEnv) -> None:
    live.execute(
        "UPDATE market_clock SET market_origin_at = '2026-03-14 15:00+00', machine_origin_at = now()"
    )  # a Saturday

    state, detail = check_all(operator, live)["contract MNQ"]
    assert "fine" == state
    assert "CON.F.US.MNQ.H26: closed, entries from 2026-03-15 17:00:00 Chicago" == detail


@pytest.mark.parametrize(
    ("ahead", "state", "side"),
    [(timedelta(0), "fine", ""), (timedelta(minutes=2), "wrong", "behind"), (-timedelta(minutes=2), "wrong", "ahead")],
)
def test_the_clock_of_this_computer_is_compared_with_the_venues(
    operator: RunCommand, live: WorkerEnv, ahead: timedelta, state: str, side: str
) -> None:
    with venue_with_clock(ahead) as url:
        found = check_all(operator, live, TICKWORK_VENUE_URL=url)["clock"]

    assert state == found[0], found
    assert side in found[1]
    if side:
        assert "timedatectl set-ntp true" in found[1]


def test_a_venue_that_does_not_answer_leaves_the_clock_unchecked(operator: RunCommand, live: WorkerEnv) -> None:
    state, detail = check_all(operator, live, TICKWORK_VENUE_URL="http://127.0.0.1:9")["clock"]

    assert "warning" == state
    assert "http://127.0.0.1:9 does not answer" in detail


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_warns_from_two_seconds_and_is_wrong_from_thirty(sign: int) -> None:
    assert "less than 2 s" in describe_clock(sign * timedelta(seconds=1.9))
    for warned in (2, 29.9):
        with pytest.raises(CheckWarningError, match="this computer's clock is"):
            describe_clock(sign * timedelta(seconds=warned))
    with pytest.raises(SettingsError, match="this computer's clock is 30 s"):
        describe_clock(sign * timedelta(seconds=30))


def test_the_clock_of_postgres_is_compared_with_this_computers_also_at_the_simulator(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    found = check_all(operator, worker_env)

    assert ("fine", "less than 2 s from Postgres', whose clock runs leases, expiries and the schedule") == found[
        "database clock"
    ]
    assert ("fine", "its clock was not set back within a day") == found["schedule"]


def test_a_clock_of_postgres_that_was_set_back_is_a_warning(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every, stepped_back_at, stepped_back_by) VALUES "
        "('drill', 'upkeep.do_nothing', 'machine', interval '1 hour', now(), interval '5 hours')"
    )

    state, detail = check_all(operator, worker_env)["schedule"]
    assert "warning" == state
    assert "the clock of Postgres was set back by 5:00:00" in detail
