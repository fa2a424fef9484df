"""How long it takes to read, make and store bars, and what they take in Postgres, each beside another way."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection

from shared.bars.bar_reader import BarReader
from shared.db.engine import autocommit, driver
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.bar_columns import BarColumns, seconds_of, time_of
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import roll_up
from shared.domain.market_data.timeframe import ONE_MINUTE, Timeframe
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.recent_bars import BarBlock, RecentBars
from tests.fixtures.bar_walk import walk
from tests.fixtures.figures import line, percentile, printed
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv
from workers.call_log import CallBuffer
from workers.venue_wiring import open_gateway

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
pyarrow_parquet = pytest.importorskip("pyarrow.parquet")

COUNT, ROUNDS = 20_000, 60
LATER = "CON.F.US.MNQ.M26"
EQUITY = calendar_of("equity")
EIGHT = tuple(map(Timeframe.parse, ("2m", "3m", "5m", "15m", "30m", "1h", "4h", "1d")))
ROW_BYTES = "SELECT pg_total_relation_size('plain_bar')::numeric / (SELECT count(*) FROM plain_bar)"


def measure(call: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Return how many milliseconds each call takes, after three that do not count."""
    taken = []
    for _ in range(rounds + 3):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return taken[3:]


@pytest.fixture
def connection(worker_env: WorkerEnv) -> Iterator[Connection]:
    """A database with 60 days of bars, and the same as rows in the table `plain_bar`."""
    made = walk(60)
    worker_env.execute("DELETE FROM bar_minute")
    with autocommit(worker_env.ledger.engine) as connection:
        bars.store(connection, MNQ, made, OPEN_AT)
        covered = Span(time_of(int(made.seconds[0])), OPEN_AT)
        bar_coverage.write(connection, MNQ, BarCoverage((covered,)))
        raw = driver(connection)
        raw.execute(
            "CREATE TABLE plain_bar (contract_id text, start timestamptz, open numeric, high numeric, low numeric,"
            " close numeric, volume bigint, PRIMARY KEY (contract_id, start))"
        )
        copy_rows(connection, made)
        raw.execute("VACUUM ANALYZE")
        yield connection


def copy_rows(connection: Connection, made: BarColumns) -> None:
    with driver(connection).cursor().copy("COPY plain_bar FROM STDIN") as copy:
        for bar in made.to_bars():
            copy.write_row((MNQ, bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume))


def test_twenty_thousand_bars_to_numpy(
    connection: Connection, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = walk(60)[-COUNT:]
    span = Span(time_of(int(made.seconds[0])), OPEN_AT)
    client = connect(redis_url, decode=False)
    recent = RecentBars(client, CircuitBreaker(), "test")
    recent.write(MNQ, ONE_MINUTE, BarBlock(made, span, 0), bytes(16))
    frame = pd.DataFrame(dict(zip(("seconds", "open", "high", "low", "close", "volume"), made.arrays, strict=True)))
    frame.to_parquet(tmp_path / "bars.parquet")
    query = (
        "SELECT extract(epoch FROM start)::bigint, open, high, low, close, volume FROM plain_bar"
        " WHERE contract_id = %s AND start >= %s AND start < %s ORDER BY start"
    )

    def from_redis() -> BarColumns:
        found = RecentBars(client, CircuitBreaker(), "test").read(MNQ, ONE_MINUTE).block
        assert found is not None
        return found.bars

    def from_rows() -> "np.ndarray":
        rows = driver(connection).execute(query, (MNQ, span.start, span.end), binary=True).fetchall()
        return np.array(rows, dtype=np.int64)

    ways: dict[str, Callable[[], object]] = {
        "Redis": from_redis,
        "Redis, kept in memory": lambda: recent.read(MNQ, ONE_MINUTE),
        "Postgres": lambda: bars.read(connection, MNQ, span),
        "Parquet by pyarrow": lambda: [
            column.to_numpy() for column in pyarrow_parquet.read_table(tmp_path / "bars.parquet").columns
        ],
        "a row per bar, same Postgres": from_rows,
    }
    assert COUNT == len(from_redis()) == len(bars.read(connection, MNQ, span)) == len(from_rows())
    taken = {name: measure(call, 15 if "row" in name else ROUNDS) for name, call in ways.items()}
    with printed(capsys, f"{COUNT:,} one-minute bars to numpy"):
        for name, values in taken.items():
            print(line(name, values))  # as above
        ratio = percentile(taken["a row per bar, same Postgres"], 50) / percentile(taken["Postgres"], 50)
        print(f"a row per bar takes {ratio:.0f} times as long as the packed days")  # as above


def test_eight_timeframes(capsys: pytest.CaptureFixture[str]) -> None:
    made = walk(60)[-COUNT:]
    frame = pd.DataFrame(
        {name: getattr(made, name) for name in ("open", "high", "low", "close", "volume")}, index=made.starts
    )
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    lengths = [f"{timeframe.minutes}min" for timeframe in EIGHT]
    ours = measure(lambda: [roll_up(made, timeframe, OPEN_AT, EQUITY) for timeframe in EIGHT])
    theirs = measure(lambda: [frame.resample(length).agg(rules).dropna() for length in lengths], 15)
    with printed(capsys, f"8 timeframes from {COUNT:,} bars"):
        print(line("sessions followed, numpy", ours))  # as above
        print(line("pandas resample, sessions not followed", theirs))  # as above


def test_size_and_ingest(worker_env: WorkerEnv, connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    ((size, count),) = worker_env.rows("SELECT pg_total_relation_size('bar_day'), sum(bar_count) FROM bar_day")
    ((row_size,),) = worker_env.rows(ROW_BYTES)
    made = walk(400)
    worker_env.execute(
        "INSERT INTO contract (id, name, root, tick_size, tick_value, is_active) "
        f"SELECT '{LATER}', name, root, tick_size, tick_value, false FROM contract WHERE id = '{MNQ}'"
    )
    started = time.perf_counter()
    with worker_env.ledger.engine.begin() as other:
        bars.store(other, LATER, made, OPEN_AT)
    ours = time.perf_counter() - started
    worker_env.execute("TRUNCATE plain_bar")
    started = time.perf_counter()
    copy_rows(connection, made)
    theirs = time.perf_counter() - started
    with printed(capsys, "size and ingest"):
        print(f"packed: {size / count:.1f} B a bar; a row per bar: {row_size:.0f} B")  # as above
        print(
            f"{len(made):,} bars from memory: {len(made) / ours:,.0f} a second; COPY of rows {len(made) / theirs:,.0f}"
        )


def test_a_strategys_view(
    worker_env: WorkerEnv, connection: Connection, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """300 bars of three timeframes when a minute has closed and the fetch has stored it."""
    contract = contracts.require(connection, MNQ)
    client = connect(redis_url, decode=False)
    reader, timeframes = (
        BarReader(RecentBars(client, CircuitBreaker(), "test")),
        tuple(map(Timeframe.parse, ("1m", "5m", "15m"))),
    )

    def view(one: BarReader) -> list[BarColumns]:
        return [one.read(connection, contract, timeframe, OPEN_AT, count=300).bars for timeframe in timeframes]

    assert [300, 300, 300] == [len(one) for one in view(reader)]
    calls = CallBuffer(worker_env.ledger.engine)
    with open_gateway(worker_env.settings, calls) as gateway:
        asked = Span(time_of(seconds_of(OPEN_AT) - 300 * 60), OPEN_AT)
        venue = measure(lambda: gateway.bars(contract, asked), 20)
    with printed(capsys, "300 bars of 3 timeframes on the closed bar"):
        print(
            line(
                "from Redis, new process",
                measure(lambda: view(BarReader(RecentBars(client, CircuitBreaker(), "test")))),
            )
        )
        print(line("from memory", measure(lambda: view(reader))))  # as above

        def from_postgres() -> None:
            client.flushdb()
            view(reader)

        print(line("from Postgres, Redis empty", measure(from_postgres)))  # as above
        print(line("one call to the simulator for one timeframe", venue))  # as above
