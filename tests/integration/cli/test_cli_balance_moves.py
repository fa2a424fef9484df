"""`tickwork accounts balance-move`, and what the commands show of payouts and deposits."""

from decimal import Decimal

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

MOVE = ("accounts", "balance-move", "20001")
AN_EXPRESS_ACCOUNT = """
    UPDATE account SET preset = 'express-50k', balance = 4000, day_opening_balance = 4000, high_water_mark = 4000
"""


def test_a_payout_told_by_a_person_is_no_result_and_is_audited(operator: RunCommand, worker_env: WorkerEnv) -> None:
    said = operator(*MOVE, "-2000", "--reason", "first payout", "--yes")

    assert 0 == said.status, said.words
    assert "-2,000.00, by hand: it is no result of the day" in said.words
    assert [(Decimal(-2_000),)] == worker_env.rows("SELECT moved_today FROM account")
    (act,) = operator("accounts", "audit", "--json").json["acts"]
    assert ("balance_move", "first payout", {"moved_today": "-2000"}) == (act["act"], act["reason"], act["after"])
    assert "the firm moved -2,000.00 today (payout), which is no result of trading" in operator("risk").words
    assert "Payouts and deposits" in operator("accounts", "show", "20001").words


def test_the_opposite_amount_takes_a_move_back(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert 0 == operator(*MOVE, "-2000", "--yes").status
    assert 0 == operator(*MOVE, "2000").status

    assert [(Decimal(0),)] == worker_env.rows("SELECT moved_today FROM account")


@pytest.mark.parametrize(("amount", "message"), [("0", "invalid amount 0"), ("abc", "invalid amount 'abc'")])
def test_an_amount_that_moves_nothing_is_refused(
    operator: RunCommand, worker_env: WorkerEnv, amount: str, message: str
) -> None:
    refused = operator(*MOVE, amount)

    assert 0 != refused.status
    assert message in refused.words
    assert [] == worker_env.rows("SELECT 1 FROM balance_move")


def test_a_move_that_would_lock_the_day_at_once_asks_first(operator: RunCommand, worker_env: WorkerEnv) -> None:
    """A deposit that was none: with it the day has lost 5,000."""
    worker_env.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    refused = operator(*MOVE, "5000")

    assert 0 != refused.status
    assert "add --yes" in refused.words
    assert [] == worker_env.rows("SELECT 1 FROM balance_move")


@pytest.mark.parametrize(
    ("unexplained", "amount", "asks"),
    [("-2000", "-2000", False), ("-2000", "-2001", True), ("0", "-2000", True), ("-2000", "500", True)],
)
def test_an_amount_that_fills_explain_asks_first(
    operator: RunCommand, worker_env: WorkerEnv, unexplained: str, amount: str, *, asks: bool
) -> None:
    """It would count twice, or give back a loss."""
    worker_env.execute(f"UPDATE account SET unexplained_balance = {unexplained}")
    said = operator(*MOVE, amount)

    assert asks == (said.status != 0), said.words
    assert asks == ("add --yes" in said.words)


def test_risk_shows_the_ways_to_the_next_payout(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(AN_EXPRESS_ACCOUNT)
    worker_env.execute(
        """INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance)
           SELECT id, date '2026-03-01' + n, 4000, 4000 + n * 100 FROM account, generate_series(1, 3) n"""
    )
    shown = operator("risk")

    assert "Next payout" in shown.words
    assert "standard 2 of 5 2000 3 more winning days of at least 150.00" in shown.words.replace("2,000.00", "2000")
    assert "consistency 3 of 3" in shown.words
    standard, _ = operator("risk", "--json").json["accounts"][0]["payout"]
    assert (2, Decimal(2_000)) == (standard["days"], Decimal(standard["most"]))


def test_a_balance_that_was_settled_during_the_question_is_not_moved_twice(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch finds the payout while the person answers."""

    def settle(*_: object, **__: object) -> None:
        worker_env.execute("UPDATE account SET moved_today = -2000, pending_balance = NULL, unexplained_balance = 0")

    worker_env.execute("UPDATE account SET unexplained_balance = 0, pending_balance = -2000")
    monkeypatch.setattr("cli.commands.account_balance.confirm_effects", settle)
    refused = operator(*MOVE, "-2000")

    assert 0 != refused.status
    assert "was settled meanwhile, so nothing was recorded" in refused.words
    assert [] == worker_env.rows("SELECT 1 FROM balance_move")
