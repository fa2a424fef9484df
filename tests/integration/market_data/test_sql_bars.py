"""SQL names and ends bars as Python does, also weeks and months of which little is stored, and around holidays."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from shared.db.engine import autocommit
from shared.db.market_data import bars, contracts
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars
from shared.domain.market_data.calendar import Calendar, assumed_calendar_of, trading_day_begins
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import roll_up
from shared.domain.market_data.timeframe import Timeframe
from simulator.market.listing import make_contract
from tests.fixtures.worker_env import WorkerEnv

CASES = 300
ALONE = [make_contract(ROOTS[root], 2018, "H", is_active=False) for root in ("MNQ", "MGC", "ZC", "HE", "ZN")]
FUNCTION = """
    SELECT start, open / %s, high / %s, low / %s, close / %s, volume FROM bars_between(%s, %s, %s, %s)
"""


def make_bars(random: Random, calendar: Calendar) -> list[Bar]:
    """Return bars of some minutes of some sessions of three months, which may begin and end anywhere."""
    first = date(2018, 1, 1) + timedelta(days=random.randrange(365 * 11 - 100))
    sessions = list(
        calendar.sessions_within(Span(trading_day_begins(first), trading_day_begins(first + timedelta(days=90))))
    )
    begins, ends = sorted(random.sample(range(len(sessions)), 2))
    made = {}
    for session in random.sample(sessions[begins : ends + 1], random.randint(1, min(9, ends - begins + 1))):
        open_spans = list(calendar.open_spans(Span(session.opens, session.closes)))
        edge = random.choice([open_spans[0].start, open_spans[-1].end - MINUTE])
        span = random.choice(open_spans)
        middle = span.start + random.randrange(span.duration // MINUTE) * MINUTE
        for start in {edge, middle}:
            low = random.randint(1_000, 9_000)
            made[start] = Bar(start, low + 1, low + 3, low, low + 2, random.randint(0, 99))
    return [made[start] for start in sorted(made)]


@pytest.mark.parametrize("text", ["30m", "4h", "1d", "1w", "1mo"])
def test_longer_bars_of_sql_are_those_of_python_however_little_of_them_is_stored(
    worker_env: WorkerEnv, text: str
) -> None:
    with autocommit(worker_env.ledger.engine) as connection:
        for contract in ALONE:
            contracts.add(connection, contract)
        for number in range(CASES):
            random = Random(number)
            contract = random.choice(ALONE)
            calendar = assumed_calendar_of(ROOTS[contract.root].group)
            made = make_bars(random, calendar)
            now = choose_now(random, made, calendar)
            worker_env.execute(
                "DELETE FROM bar_minute; DELETE FROM bar_day;"
                f" UPDATE market_clock SET market_origin_at = '{now}', machine_origin_at = now(), speed = 1"
            )
            bars.store(connection, contract.id, from_bars(made), now)
            expected = roll_up(from_bars(made), Timeframe.parse(text), now, calendar).to_bars()
            middle = random.choice(made).start
            later = [bar for bar in expected if bar.start >= middle]
            before = [bar for bar in expected if bar.start < middle]

            assert expected == ask(worker_env, contract, text, None, None), number
            assert later == ask(worker_env, contract, text, middle, None), number
            assert before == ask(worker_env, contract, text, None, middle), number


def choose_now(random: Random, made: list[Bar], calendar: Calendar) -> datetime:
    """Return an instant at or after the newest bar, often within the hours around the close of its session or week."""
    closes = next(session.closes for session in calendar.sessions_within(Span(made[-1].start, made[-1].start + MINUTE)))
    after = random.choice([timedelta(0), MINUTE, 59 * MINUTE, 61 * MINUTE, timedelta(days=random.randint(1, 40))])
    return max(made[-1].start + MINUTE, closes + after - MINUTE).astimezone(UTC)


def ask(
    worker_env: WorkerEnv, contract: Contract, text: str, since: datetime | None, until: datetime | None
) -> list[Bar]:
    ticks = [contract.tick_size] * 4
    found = worker_env.rows(FUNCTION, *ticks, contract.id, text, since, until)
    return [Bar(start, *(int(value) for value in values)) for start, *values in found]
