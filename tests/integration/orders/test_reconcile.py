"""Reconcile: what the venue shows is right, what does not add up halts one account, and one's trouble is no other's."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.fleets import Queue
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import Desk
from workers.orders import reconcile_account

HALT = "SELECT halt_reason FROM account WHERE id = %s"


def second_account(desk: Desk) -> int:
    """Open a further account of the same user, and meet it."""
    opened = desk.venue.control("POST", "accounts", {"stage": "practice", "balance": 50000}).json()
    desk.do(SnapshotAccounts())
    desk.do(ReconcileAccounts())
    found: int = opened["id"]
    return found


def test_a_position_held_at_our_first_sight_is_carried_in_and_halts_nobody(desk: Desk) -> None:
    desk.execute("UPDATE account SET first_seen_at = NULL")
    desk.venue.trade(size=2)
    desk.venue.faults(path="/api/Trade/search", kind="null_list", count=1)  # not even its fill is known
    desk.do(ReconcileAccount(account_id=desk.venue.account_id))

    assert [("LONG", 2)] == desk.rows("SELECT direction, quantity FROM position")
    assert [(None,)] == desk.rows(HALT, desk.venue.account_id)


def test_a_position_that_our_fills_do_not_make_is_repaired_and_halts_the_account_with_the_figures(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_account, "_LISTED_WITHIN", timedelta())  # what was ordered just now is listed
    desk.alert(quantity=2)
    desk.work()
    desk.execute("UPDATE position SET carried_quantity = 3")  # as if a fill of three had been made up
    desk.execute("UPDATE position SET quantity = 5")
    desk.do(ReconcileAccounts())

    assert [("LONG", 2)] == desk.rows("SELECT direction, quantity FROM position")
    ((reason,),) = desk.rows(HALT, desk.venue.account_id)
    assert f"{MNQ}: the venue holds +2, our fills make +5" in reason
    refused = desk.alert()
    desk.work()
    assert "is halted: PositionMismatchError" in (desk.job(refused)[2] or "")


def test_fills_that_nobody_told_of_are_found_and_are_no_mismatch(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.execute("DELETE FROM fill")
    desk.execute("UPDATE position SET quantity = 0, direction = 'FLAT'")
    desk.do(ReconcileAccounts())

    assert [("LONG", 1)] == desk.rows("SELECT direction, quantity FROM position")
    assert [(None,)] == desk.rows(HALT, desk.venue.account_id)


def test_a_working_order_that_the_venue_stopped_showing_is_asked_for_and_never_dropped(desk: Desk) -> None:
    """Invariant: an order still working is never dropped because something does not add up."""
    desk.alert()
    desk.work()
    before = desk.rows("SELECT id, state FROM orders ORDER BY id")
    desk.execute("UPDATE fill SET filled_market_at = filled_market_at - interval '3 hours'")
    desk.execute("UPDATE account SET reconciled_at = now()")
    desk.do(ReconcileAccounts())

    assert before == desk.rows("SELECT id, state FROM orders ORDER BY id")


def test_reading_everything_again_fires_no_bracket_again(desk: Desk) -> None:
    """Invariant: replay must not re-trigger bracket actions."""
    desk.alert(take_profit_ticks=800)
    desk.work()
    placed = len(desk.venue.requests("/api/Order/place"))
    desk.execute("TRUNCATE job_key")
    for _ in range(3):
        desk.do(ReconcileAccounts())

    assert placed == len(desk.venue.requests("/api/Order/place"))
    assert 2 == desk.rows("SELECT count(*) FROM orders WHERE parent_id IS NOT NULL")[0][0]


def test_the_tag_of_an_order_is_the_same_after_any_restart(desk: Desk) -> None:
    """Invariant: ids are deterministic."""
    desk.alert()
    desk.work()
    ((order_id, tag),) = desk.rows("SELECT id, client_order_id FROM orders WHERE role = 'ENTRY'")

    assert f"tw-{order_id.hex}" == tag
    assert len(tag) <= 60


def test_what_moved_moments_ago_is_no_mismatch_so_far(desk: Desk) -> None:
    """The venue may list a position before its fill."""
    desk.alert()
    desk.work()
    desk.execute("UPDATE position SET quantity = 3")
    just_now = desk.venue.clock.now() + timedelta(minutes=1)  # however slow this machine is
    desk.execute(f"UPDATE orders SET changed_market_at = '{just_now.isoformat()}'".replace(":", "\\:"))
    looked = desk.ask(ReconcileAccount(account_id=desk.venue.account_id))
    desk.runner.run(looked)

    assert ("queued", True) == (desk.job(looked)[0], "moves too fast to be compared" in (desk.job(looked)[2] or ""))
    assert [(None,)] == desk.rows(HALT, desk.venue.account_id)


def test_a_reconcile_that_waits_for_its_time_holds_up_none_that_is_urgent(desk: Desk) -> None:
    account_id = desk.venue.account_id
    key = f"account:{account_id}:reconcile"
    waiting = desk.ask(ReconcileAccount(account_id=account_id), sequence_key=key, run_after=timedelta(seconds=15))
    desk.execute("UPDATE account SET reconciled_at = NULL")
    desk.runner.run(desk.ask(ReconcileAccounts(), queue=Queue.CRITICAL))
    ((urgent,),) = desk.rows("SELECT id FROM job WHERE sequence_key = %s AND queue = 'critical'", key)
    desk.runner.run(urgent)

    assert ("succeeded", "queued") == (desk.job(urgent)[0], desk.job(waiting)[0])
    assert [(account_id,)] == desk.rows("SELECT id FROM account WHERE reconciled_at IS NOT NULL")


def test_one_accounts_trouble_holds_up_no_other(desk: Desk) -> None:
    other = second_account(desk)
    desk.execute("UPDATE account SET reconciled_at = NULL")
    desk.venue.faults(path="/api/Order/search", kind="status", status=500, count=3)
    first = desk.ask(ReconcileAccount(account_id=desk.venue.account_id))
    second = desk.ask(ReconcileAccount(account_id=other))
    desk.runner.run(first)
    desk.runner.run(second)

    assert ("queued", "succeeded") == (desk.job(first)[0], desk.job(second)[0])
    assert [(desk.venue.account_id,)] == desk.rows("SELECT id FROM account WHERE reconciled_at IS NULL")


def test_complaint_14_one_alert_trades_every_account_of_its_hook_each_with_its_outcome(desk: Desk) -> None:
    other = second_account(desk)
    first = desk.alert()
    desk.execute(f"INSERT INTO hook_follower SELECT id, {other} FROM hook")
    desk.execute(f"UPDATE account SET halted_at = now(), halt_reason = 'by hand' WHERE id = {desk.venue.account_id}")
    desk.work()

    assert ("failed", True) == (desk.job(first)[0], "halted: by hand" in (desk.job(first)[2] or ""))
    assert [("succeeded",)] == desk.rows("SELECT state FROM job WHERE name = 'alerts.fan_out_alert'")
    outcomes = dict(desk.rows("SELECT account_id, verdict FROM signal"))
    assert {desk.venue.account_id: "refused", other: "accepted"} == outcomes
    assert [(other, "FILLED")] == desk.rows(
        "SELECT account_id, state FROM orders WHERE state <> 'DENIED' AND role = 'ENTRY'"
    )


def test_the_balance_here_is_the_venues_to_the_cent_and_the_fills_explain_it(desk: Desk) -> None:
    before = desk.rows("SELECT balance FROM account")[0][0]
    desk.alert()
    desk.work()
    desk.alert(action="close")
    desk.work()
    desk.do(SnapshotAccounts())

    ((balance,),) = desk.rows("SELECT balance FROM account")
    ((earned,),) = desk.rows("SELECT sum(coalesce(gross_pnl, 0) - fees - commissions) FROM fill")
    shown = desk.venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["balance"]
    assert before + earned == balance == Decimal(str(shown))


def test_a_look_that_shows_nothing_new_writes_nothing(desk: Desk) -> None:
    desk.alert(take_profit_ticks=400)
    desk.work()
    versions = "SELECT role, state, xmin::text FROM orders ORDER BY id"  # every write of a row makes another version
    before = desk.rows(versions)
    assert ["FILLED", "WORKING", "WORKING"] == sorted(row[1] for row in before)

    assert "succeeded" == desk.do(ReconcileAccounts())[0]

    assert before == desk.rows(versions)
