"""`tickwork bars continuous` shows the contracts of a root as one series, and where it is stitched."""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from shared.db.market_data import bar_coverage, bars
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.calendar import trading_day_begins
from shared.domain.market_data.coverage import Span
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv

JUNE = "CON.F.US.MNQ.M26"
DAYS = [date(2026, 3, 3) + timedelta(days=number) for number in range(4)]


def add_june(worker_env: WorkerEnv) -> None:
    """Add a second month, without any bars of either."""
    worker_env.execute(
        "DELETE FROM bar_minute; UPDATE contract SET coverage = '{}';"
        " INSERT INTO contract (id, name, root, tick_size, tick_value, is_active)"
        f" SELECT '{JUNE}', 'MNQM6', root, tick_size, tick_value, false FROM contract WHERE id = '{MNQ}'"
    )


def cover(connection: Connection, contract_id: str, *spans: tuple[datetime, datetime]) -> None:
    """Let the minutes of these spans be complete, with a bar in each."""
    for start, end in spans:
        made = [Bar(start + at * MINUTE, 9, 10, 8, 9, 1) for at in range((end - start) // MINUTE)]
        bars.store(connection, contract_id, from_bars(made), OPEN_AT)
    bar_coverage.write(connection, contract_id, BarCoverage(tuple(Span(*span) for span in spans)))


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
    add_june(worker_env)
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


def test_a_hole_between_two_expiries_and_one_within_a_month_are_shown(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    add_june(worker_env)
    begins, hour = trading_day_begins(DAYS[1]), timedelta(hours=1)
    held = [(begins, begins + hour), (begins + hour + 10 * MINUTE, begins + 2 * hour)]
    closes = begins + 23 * hour
    followed = trading_day_begins(DAYS[2]), trading_day_begins(DAYS[2]) + hour
    with worker_env.ledger.engine.begin() as connection:
        cover(connection, MNQ, *held)
        # Answers without a bar after its last one, such as of a month that has expired, show no minute to be complete.
        bar_coverage.write(connection, MNQ, BarCoverage((Span(*held[0]), Span(held[1][0], followed[1]))))
        cover(connection, JUNE, followed)

    found = operator("bars", "continuous", "MNQ", "--timeframe", "1m", "--limit", "1000", "--json").json
    expected = [(held[1][1], closes, 21 * 60), (held[0][1], held[1][0], 10)]
    assert [(MNQ, start.isoformat(), end.isoformat(), minutes) for start, end, minutes in expected] == [
        tuple(gap[name] for name in ("contract", "start", "end", "minutes")) for gap in found["gaps"]
    ]
    assert (followed[1].isoformat(), begins.isoformat()) == (found["as_of"], found["stored_from"])

    words = operator("bars", "continuous", "MNQ", "--timeframe", "1m", "--limit", "130").words
    assert f"Complete up to {followed[1]:%Y-%m-%d %H:%M} UTC." in words
    assert (
        f"Gaps: 1,270 minutes ({held[1][1]:%Y-%m-%d %H:%M} to {closes:%H:%M}, {held[0][1]:%Y-%m-%d %H:%M} to "
        f"{held[1][0]:%H:%M}); `tickwork bars backfill MNQH26` fetches them." in words
    )
    assert "Gaps" not in operator("bars", "continuous", "MNQ", "--timeframe", "1m", "--limit", "60").words


def test_a_month_that_was_not_rolled_to_raises_no_price(worker_env: WorkerEnv, operator: RunCommand) -> None:
    add_june(worker_env)
    with worker_env.ledger.engine.begin() as connection:
        store(connection, MNQ, 80_000, [9, 9, 9, 9])
        store(connection, JUNE, 80_400, [1, 1, 1, 1])
    found = operator("bars", "continuous", "MNQ", "--adjust", "difference", "--json").json

    assert (4, []) == (len(found["bars"]), found["stitches"])
    assert {20_000} == {float(bar["close"]) for bar in found["bars"]}
    shown = operator("bars", "continuous", "MNQ")
    assert "Nothing is stitched: all bars are those of MNQ H26." in shown.out


def test_the_active_month_is_shown_on_the_first_day_that_it_is_traded_more(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    add_june(worker_env)
    worker_env.execute(f"UPDATE contract SET is_active = (id = '{JUNE}') WHERE id IN ('{JUNE}', '{MNQ}')")
    with worker_env.ledger.engine.begin() as connection:
        store(connection, MNQ, 80_000, [9, 9, 9, 1])
        store(connection, JUNE, 80_400, [1, 1, 1, 9])
    found = operator("bars", "continuous", "MNQ", "--json").json

    assert [(trading_day_begins(DAYS[3]).isoformat(), JUNE)] == [(one["at"], one["after"]) for one in found["stitches"]]
    assert [20_100, 20_000] == [float(bar["close"]) for bar in found["bars"][:2]]


def test_what_cannot_be_shown_is_said(worker_env: WorkerEnv, operator: RunCommand) -> None:
    assert "is shorter than a minute" in operator("bars", "continuous", "MNQ", "--timeframe", "30s").error
    worker_env.execute("DELETE FROM bar_minute")
    assert "no bars of MNQ are stored: `tickwork bars backfill`" in operator("bars", "continuous", "MNQ").error
