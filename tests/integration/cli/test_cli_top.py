"""`tickwork top` and `quotes`: one screen with what a trader wants to see, and the newest prices."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine, event

from tests.fixtures.alert_steps import OTHER_MONTH, hold, hold_other_month
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.mark.parametrize("arguments", [(), ("top",), ("top", "--once")], ids=["bare", "top", "once"])
def test_one_screen_shows_accounts_positions_alerts_and_queues(
    operator: RunCommand, worker_env: WorkerEnv, arguments: tuple[str, ...]
) -> None:
    hold(worker_env, 2)
    worker_env.write_quote()

    shown = operator(*arguments)
    assert (0, "") == (shown.status, shown.error)
    for part in ("Market ", "Accounts", "loss left", "100%", "LONG", "Last alerts", "FILLED"):
        assert part in shown.words
    assert "background 0 0 0" in shown.words


def test_the_figures_of_the_screen_are_those_of_risk_and_positions(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.write_quote()
    found = operator("top", "--json").json

    ((account,), (position,)) = found["accounts"], found["positions"]
    (risk,) = operator("risk", "--json").json["accounts"]
    limit = next(row for row in risk["rules"] if row["rule"] == "max_loss_limit")
    assert Decimal(account["headroom"]) == Decimal(limit["headroom"])
    assert Decimal(account["headroom_at_opening"]) == Decimal(limit["allowance"])
    assert position == operator("positions", "--json").json["positions"][0]
    assert ["critical", "high", "normal", "low", "background"] == [row["queue"] for row in found["queues"]]


def test_more_accounts_need_no_more_statements(operator: RunCommand, worker_env: WorkerEnv) -> None:
    sent: list[str] = []

    def count_statements() -> int:
        before = len(sent)
        assert 0 == operator("top", "--once").status
        return len(sent) - before

    def note(*call: object) -> None:
        sent.append(str(call[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        of_one = count_statements()
        worker_env.execute(
            "INSERT INTO account (id, name, balance, can_trade, day_opening_balance, high_water_mark) "
            "SELECT 30000 + n, '50KTC-V2-' || n, 50000, true, 50000, 50000 FROM generate_series(1, 5) AS n"
        )
        worker_env.execute(
            "INSERT INTO account_snapshot (account_id, taken_market_at, balance, can_trade) "
            "SELECT 30000 + n, now() + m * interval '1 minute', 100 * n + m, true "
            "FROM generate_series(1, 4) AS n, generate_series(1, 100) AS m"
        )
        assert of_one == count_statements()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    balances = {row["account_id"]: row["balances"] for row in operator("top", "--json").json["accounts"]}
    assert [str(400 + m) for m in range(5, 101)] == balances[30004], "the newest 96, oldest first"
    assert [] == balances[30005]


def test_without_a_stack_the_screen_says_how_to_start_one(
    operator: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")

    assert "No stack runs here: start one with `tickwork up`." in operator().out


def test_quotes_are_fresh_or_missing(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hold_other_month(worker_env)
    worker_env.write_quote()
    quotes = {row["contract"]: row for row in operator("quotes", "--json").json["quotes"]}
    assert quotes[MNQ]["bid"] is not None
    assert 0 <= quotes[MNQ]["age_s"] < 5

    assert [None] * 4 == [quotes[OTHER_MONTH][name] for name in ("bid", "ask", "last", "age_s")]
