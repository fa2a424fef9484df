"""How many bars a second are imported from files, checked and stored, beside COPY of rows from CSV."""

import time
from pathlib import Path

import pytest

from cli.client.bar_exports import ExportRequest, write_export
from cli.client.bar_imports import FileReport, ImportOptions, import_file
from shared.db.engine import driver
from shared.db.market_data import contracts
from shared.domain.market_data.bar_columns import BarColumns, time_of
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.foreign_bars import BarTimes
from shared.domain.market_data.timeframe import ONE_MINUTE
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.recent_bars import RecentBars
from tests.fixtures.bar_walk import walk
from tests.fixtures.figures import printed
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
COLUMNS = "start timestamptz, open numeric, high numeric, low numeric, close numeric, volume bigint"


def write_months(folder: Path, made: BarColumns, contract: Contract, ending: str) -> list[Path]:
    """Write a file for each 30,000 bars."""
    files = []
    for first in range(0, len(made), 30_000):
        file = folder / f"{first:07}{ending}"
        span = Span(time_of(int(made.seconds[0])), OPEN_AT)
        request = ExportRequest(contract, ONE_MINUTE, span, OPEN_AT)
        write_export(file, made[first : first + 30_000], request, lambda _: None)
        files.append(file)
    return files


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_import(
    worker_env: WorkerEnv, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow.parquet")
    worker_env.execute("DELETE FROM bar_minute; UPDATE contract SET coverage = '{}'")
    recent, made = RecentBars(connect(redis_url, decode=False), CircuitBreaker(), "test"), walk(400)
    with worker_env.ledger.engine.connect() as connection:
        contract = contracts.require(connection, MNQ)
        connection.rollback()
        options = ImportOptions(contract, BarTimes(zone=None), {}, replaces=False, is_dry_run=False)
        files = write_months(tmp_path, made, contract, ending)
        started = time.perf_counter()
        reports: list[FileReport] = [import_file(connection, recent, file, options) for file in files]
        ours = time.perf_counter() - started
    assert (len(made), 0) == (sum(one.new for one in reports), sum(one.refused_count for one in reports))
    with printed(capsys, f"{len(made):,} bars from {len(files)} files, {ending}"):
        print(f"checked and stored: {len(made) / ours:,.0f} a second")  # a bench prints
        if ending == ".csv":
            print(f"COPY of rows, not checked: {len(made) / copy_all(worker_env, files):,.0f} a second")  # as above


def copy_all(worker_env: WorkerEnv, files: list[Path]) -> float:
    """Return how long COPY takes for the files, in seconds."""
    started = time.perf_counter()
    with worker_env.ledger.engine.begin() as connection:
        raw = driver(connection)
        raw.execute(f"CREATE TABLE plain_file_bar ({COLUMNS}, PRIMARY KEY (start))")
        for file in files:
            with raw.cursor().copy("COPY plain_file_bar FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write(file.read_bytes())
    return time.perf_counter() - started
