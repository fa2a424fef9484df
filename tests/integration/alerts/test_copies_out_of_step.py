"""Copies of plain orders that do not hold their share: what the hook's own account only closes opens nothing there."""

from decimal import Decimal

import pytest

from shared.db.alerts import hooks
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.overview.copies_out_of_step import find_larger_copies
from tests.fixtures.alert_steps import run_next
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_copy_ratios import add_hook, last_copy, read_follower, run_until_held
from tests.integration.cli.doctor_checks import run_doctor

BY_RISK = HookSettings(size=SizeMode.RISK, size_value=Decimal(100))


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def find_larger(worker_env: WorkerEnv) -> str | None:
    """Return the copies that hold more than their share, without the minute's grace."""
    worker_env.execute("UPDATE position SET updated_at = now() - interval '61 seconds'")
    with worker_env.ledger.engine.connect() as connection:
        return find_larger_copies(connection)


def follow(worker_env: WorkerEnv, hook_id: object, ratio: str) -> None:
    """Let the second account follow a hook, or at another ratio."""
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {read_follower(worker_env): Decimal(ratio)})  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", ["1", "2", "0.5"])
@pytest.mark.parametrize("settings", [None, BY_RISK], ids=["size", "risk"])
def test_a_copy_that_missed_the_entry_opens_nothing_at_the_exit(
    worker_env: WorkerEnv, ratio: str, settings: HookSettings | None
) -> None:
    """Of 100 dollars at a stop of 40 ticks, 4 contracts."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id = worker_env.add_hook(settings)
    worker_env.entry_alert(hook_id, quantity=4, stop_loss_ticks=40)
    run_until_held(worker_env, 4, 0)
    follow(worker_env, hook_id, ratio)
    worker_env.entry_alert(hook_id, action="sell", quantity=2, stop_loss_ticks=40 if settings is None else 60)
    run_until_held(worker_env, 2 if settings is None else 1, 0)

    verdict, reason = last_copy(worker_env)[2:]
    assert ("denied", "the hook's own account opens nothing with it: nothing is entered") == (verdict, reason)


def test_a_copy_of_which_the_hooks_own_account_holds_less_trades_no_more_than_the_order(worker_env: WorkerEnv) -> None:
    """The second purchase was denied on the own account, which then turns around where the chart only exits."""
    hook_id, own = add_hook(worker_env, "1"), worker_env.venue.account_id
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 2, 2)
    worker_env.execute(f"UPDATE account SET halted_at = now(), halt_reason = 'a test' WHERE id = {own}")
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 2, 4)
    worker_env.execute(f"UPDATE account SET halted_at = NULL, halt_reason = NULL WHERE id = {own}")
    worker_env.entry_alert(hook_id, action="sell", quantity=4)
    run_until_held(worker_env, -2, 0)


@pytest.mark.parametrize("ratio", ["1", "2", "0.5"])
def test_an_exit_of_a_copy_waits_for_its_entry_that_has_no_reported_fill(worker_env: WorkerEnv, ratio: str) -> None:
    """The hook's own account has filled, and closes all."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id, follower = add_hook(worker_env, ratio), read_follower(worker_env)
    copied = int(2 * Decimal(ratio))
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 2, copied)
    unreported = f"account_id = {follower}"
    worker_env.execute(f"CREATE TABLE kept AS SELECT * FROM position WHERE {unreported}")
    worker_env.execute(f"UPDATE position SET direction = 'FLAT', quantity = 0 WHERE {unreported}")
    entry = f"{unreported} AND role = 'ENTRY'"
    worker_env.execute(f"UPDATE orders SET state = 'WORKING', filled_quantity = 0 WHERE {entry}")
    worker_env.entry_alert(hook_id, action="sell", quantity=2)
    for (job_id,) in worker_env.rows("SELECT id FROM job WHERE name LIKE 'alerts.%%' AND state = 'queued' ORDER BY id"):
        run_next(worker_env, job_id)
    assert [] == worker_env.rows("SELECT 1 FROM signal WHERE verdict = 'denied'")
    worker_env.execute(f"UPDATE orders SET state = 'FILLED', filled_quantity = quantity WHERE {entry}")
    worker_env.execute(f"UPDATE position SET direction = 'LONG', quantity = {copied} WHERE {unreported}")
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until_held(worker_env, 0, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the exit first", "the entry first"])
def test_of_two_orders_at_once_that_each_account_takes_in_its_own_order_both_are_copied(
    worker_env: WorkerEnv, order: tuple[int, int]
) -> None:
    hook_id, follower = add_hook(worker_env, "1"), read_follower(worker_env)
    worker_env.entry_alert(hook_id, quantity=1)
    run_until_held(worker_env, 1, 1)
    alerts = [worker_env.entry_alert(hook_id, action="sell", quantity=1) for _ in range(2)]
    closing = worker_env.rows(
        f"SELECT id FROM job WHERE name = 'alerts.close_reversed' AND arguments ->> 'account_id' = '{follower}'"
        " AND state = 'queued' ORDER BY id"
    )
    assert 2 == len(closing) == len(alerts)
    for number in order:
        run_next(worker_env, closing[number][0])
    run_until_held(worker_env, -1, -1)


def test_what_a_copy_by_risk_closes_is_its_share_of_what_is_closed_rounded_up(worker_env: WorkerEnv) -> None:
    """100 dollars are 4 contracts at 40 ticks and 3 at 60; the copy's 50 would be 1 of its 2."""
    hook_id = add_hook(worker_env, "0.5", BY_RISK)
    worker_env.entry_alert(hook_id, quantity=1, stop_loss_ticks=40)
    run_until_held(worker_env, 4, 2)
    worker_env.entry_alert(hook_id, action="sell", quantity=1, stop_loss_ticks=60)
    run_until_held(worker_env, 1, 0)


@pytest.mark.parametrize("stop", [70, None])
def test_a_copy_by_risk_that_holds_more_closes_all_with_the_hooks_own_account(
    worker_env: WorkerEnv, stop: int | None
) -> None:
    """100 dollars are 2 contracts at 70 ticks, and 200 are 5."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id = add_hook(worker_env, "2", BY_RISK)
    worker_env.entry_alert(hook_id, quantity=1, stop_loss_ticks=70)
    run_until_held(worker_env, 2, 5)
    fields = {} if stop is None else {"stop_loss_ticks": stop}
    worker_env.entry_alert(hook_id, has_stop=stop is not None, action="sell", quantity=1, **fields)
    run_until_held(worker_env, 0, 0)
    assert find_larger(worker_env) is None


def test_an_entry_waits_while_an_earlier_exit_is_done_on_another_account(worker_env: WorkerEnv) -> None:
    """Both are short 5; on the copy the exit comes later, and holds against the smaller entry until then."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id, follower = add_hook(worker_env, "1"), read_follower(worker_env)
    worker_env.entry_alert(hook_id, action="sell", quantity=5)
    run_until_held(worker_env, -5, -5)
    worker_env.entry_alert(hook_id, quantity=5)
    worker_env.entry_alert(hook_id, quantity=4)
    of_follower = f"arguments ->> 'account_id' = '{follower}' AND state = 'queued'"

    def has_waited() -> bool:
        worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE {of_follower}")
        worker_env.write_quote()
        if (found := worker_env.next_job()) is not None:  # one at a time: what waits is tried again at once
            worker_env.runner.run(found[0])
        return worker_env.rows("SELECT 1 FROM job WHERE error LIKE '%%still closes%%'") != []

    until(has_waited, what="the wait for the copy")
    worker_env.execute(f"UPDATE job SET run_at = now() WHERE {of_follower}")
    run_until_held(worker_env, 4, 4)


def test_an_entry_waits_while_a_close_is_not_done_on_another_account(worker_env: WorkerEnv) -> None:
    """The job of the close has ended there, and its flatten has not."""
    hook_id, follower = add_hook(worker_env, "1"), read_follower(worker_env)
    worker_env.entry_alert(hook_id, quantity=3)
    run_until_held(worker_env, 3, 3)
    worker_env.critical_alert(hook_id)
    worker_env.execute(f"DELETE FROM job WHERE arguments ->> 'account_id' = '{follower}' AND state = 'queued'")
    run_until_held(worker_env, 0, 3)
    worker_env.execute(
        "INSERT INTO flatten_request (id, account_id, contract_id, origin, reason, correlation_id)"
        f" VALUES (gen_random_uuid(), {follower}, '{MNQ}', 'alert', 'a test', gen_random_uuid())"
    )
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=1)
    worker_env.execute(
        f"UPDATE job SET run_at = now() + interval '1 hour' WHERE arguments ->> 'account_id' = '{follower}'"
    )

    def has_waited() -> bool:
        worker_env.write_quote()
        run_next(worker_env, job_id)
        return "still closes" in str(worker_env.job(job_id)[2])

    until(has_waited, what="the wait for the copy")


def test_an_exit_of_one_contract_is_not_lost_beside_an_exit_that_rests(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 2, 1)
    worker_env.entry_alert(hook_id, action="sell", quantity=2, order_type="limit", limit_price="30000")
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, action="sell", quantity=1)
    run_until_held(worker_env, 1, 0)


def test_a_copy_that_holds_more_than_its_share_for_a_minute_is_named(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    """The stop of the hook's own account is hit, and that of the copy is not."""
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 2)
    with worker_env.ledger.engine.connect() as connection:
        assert find_larger_copies(connection) is None
    own = worker_env.venue.account_id
    worker_env.execute(f"UPDATE position SET direction = 'FLAT', quantity = 0 WHERE account_id = {own}")
    with worker_env.ledger.engine.connect() as connection:
        assert find_larger_copies(connection) is None, "an alert may be on its way"
    worker_env.execute("UPDATE position SET updated_at = now() - interval '61 seconds'")
    with worker_env.ledger.engine.connect() as connection:
        found = find_larger_copies(connection) or ""

    assert f"holds +2 of MNQ H26 by hook hook {hook_id}, more than 0.5 of nothing, which its own account holds" in found
    warned = run_doctor(operator, worker_env)["copies"]
    assert ("warning", found) == (warned["state"], warned["detail"])
    worker_env.execute(f"UPDATE position SET direction = 'LONG', quantity = 3 WHERE account_id = {own}")
    worker_env.execute(f"UPDATE position SET quantity = 1 WHERE account_id <> {own}")
    with worker_env.ledger.engine.connect() as connection:
        assert find_larger_copies(connection) is None, "less than its share is by rounding"
