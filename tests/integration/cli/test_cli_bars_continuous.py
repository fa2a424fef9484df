"""`tickwork bars continuous` shows the contracts of a root as one series, and where it is stitched."""

from datetime import date, timedelta

from sqlalchemy import Connection

from shared.db.market_data import bars
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars
from shared.domain.market_data.calendar import trading_day_begins
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv

JUNE = "CON.F.US.MNQ.M26"
DAYS = [date(2026, 3, 3) + timedelta(days=number) for number in range(4)]


def store(connection: Connection, contract_id: str, price: int, volumes: list[int]) -> None:
    made = [
        Bar(trading_day_begins(day) + minute * MINUTE, price, price + 1, price - 1, price, volume)
        for day, volume in zip(DAYS, volumes, strict=True)
        for minute in range(3)
    ]
    bars.store(connection, contract_id, from_bars(made), OPEN_AT)


def test_the_series_says_where_it_is_stitched_and_is_adjusted_as_asked(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    worker_env.execute(
        "DELETE FROM bar_minute; INSERT INTO contract (id, name, root, tick_size, tick_value, is_active)"
        f" SELECT '{JUNE}', 'MNQM6', root, tick_size, tick_value, false FROM contract WHERE id = '{MNQ}'"
    )
    with worker_env.ledger.engine.begin() as connection:
        store(connection, MNQ, 80_000, [9, 9, 5, 5])
        store(connection, JUNE, 80_400, [1, 1, 7, 7])
    raw = operator("bars", "continuous", "MNQ", "--json").json
    raised = operator("bars", "continuous", "MNQ", "--adjust", "difference", "--json").json
    shown = operator("bars", "continuous", "MNQ")

    at = trading_day_begins(DAYS[3]).isoformat()
    assert [(at, MNQ, JUNE)] == [(one["at"], one["before"], one["after"]) for one in raw["stitches"]]
    assert ["20100.00", "20000.00", "20000.00", "20000.00"] == [f"{float(bar['close']):.2f}" for bar in raw["bars"]]
    assert {"20100.00"} == {f"{float(bar['close']):.2f}" for bar in raised["bars"]}
    assert "Stitched" in shown.out
    assert 0 == operator("bars", "continuous", "MNQ", "--timeframe", "1w").status


def test_what_cannot_be_shown_is_said(worker_env: WorkerEnv, operator: RunCommand) -> None:
    assert "is shorter than a minute" in operator("bars", "continuous", "MNQ", "--timeframe", "30s").error
    worker_env.execute("DELETE FROM bar_minute")
    assert "no bars of MNQ are stored: `tickwork bars backfill`" in operator("bars", "continuous", "MNQ").error
