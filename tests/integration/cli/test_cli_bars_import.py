"""`tickwork bars import`: files of other vendors are checked, stored per file, and what is refused is named."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.operator import CommandResult, RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

OLD = "CON.F.US.MNQ.U25"
BEGINS = datetime(2025, 8, 5, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STORED = "SELECT start, close FROM bars WHERE contract = %s ORDER BY start"


def write(file: Path, rows: list[str], heading: str = "t,o,h,l,c,v") -> Path:
    file.write_text("\n".join([heading, *rows]) + "\n")
    return file


def line(number: int, close: str = "20000.25", at: datetime = BEGINS) -> str:
    return f"{at + number * MINUTE:%Y-%m-%dT%H:%M:%SZ},20000.00,20001.00,19999.00,{close},7"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with ten bars, of which the seventh minute is missing."""
    return write(tmp_path / "MNQ-2025-08.csv", [line(number) for number in range(11) if number != 6])


def run(operator: RunCommand, *arguments: object) -> CommandResult:
    return operator("bars", "import", *map(str, arguments), "--contract", "MNQU25")


def report_of(operator: RunCommand, *arguments: object) -> dict[str, Any]:
    ((report,),) = (run(operator, *arguments, "--json").json["files"],)
    found: dict[str, Any] = report
    return found


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    """Return how many bars were new, replaced, unchanged and refused."""
    refused = sum(one["count"] for one in report["refused"])
    return report["new"], report["replaced"], report["unchanged"], refused


def test_bars_of_a_month_that_the_venue_no_longer_offers_are_stored(
    operator: RunCommand, worker_env: WorkerEnv, file: Path
) -> None:
    done = run(operator, file)

    assert (0, True) == (done.status, "MNQ U25: 10 bars are new, 0 were replaced." in done.words)
    assert "[1/1] MNQ-2025-08.csv: 10 lines, 10 new, 0 refused" in done.error
    assert 10 == len(worker_env.rows(STORED, OLD))
    assert [("MNQU5", False, False)] == worker_env.rows(
        "SELECT name, is_active, is_tracked FROM contract WHERE id = %s", OLD
    )
    ((coverage,),) = worker_env.rows("SELECT coverage::text FROM contract WHERE id = %s", OLD)
    assert 2 == coverage.count("[")
    gaps = operator("bars", "gaps", "MNQU25", "--days", "3650", "--json").json["gaps"]
    assert [(BEGINS + 6 * MINUTE).isoformat()] == [row["start"] for row in gaps]


def test_of_a_month_that_has_expired_no_gap_is_shown_after_its_newest_bar(operator: RunCommand, file: Path) -> None:
    run(operator, file)
    shown = operator("bars", "show", "MNQU25", "--count", "8", "--json").json

    assert [(BEGINS + number * MINUTE).isoformat() for number in (10, 9, 8, 7, 5, 4, 3, 2)] == [
        row["start"] for row in shown["bars"]
    ]
    assert [((BEGINS + 6 * MINUTE).isoformat(), 1)] == [(gap["start"], gap["minutes"]) for gap in shown["gaps"]]
    assert (BEGINS + 11 * MINUTE).isoformat() == shown["as_of"]


def test_a_second_import_changes_nothing(operator: RunCommand, worker_env: WorkerEnv, file: Path) -> None:
    run(operator, file)
    assert (0, 0, 10, 0) == counts(report_of(operator, file))
    assert [] == worker_env.rows("SELECT * FROM bar_correction")


def test_a_bar_that_differs_from_a_stored_one_is_refused_unless_it_may_replace_it(
    operator: RunCommand, worker_env: WorkerEnv, file: Path
) -> None:
    run(operator, file)
    other = write(file.with_name("other.csv"), [line(0), line(1, "20000.50"), line(6)])
    report = report_of(operator, other)

    assert (1, 0, 1, 1) == counts(report)
    assert [("differs", [3])] == [
        (one["reason"], [example["line_number"] for example in one["examples"]]) for one in report["refused"]
    ]
    assert "--replace replaces it" in run(operator, other).words
    assert (0, 1, 2, 0) == counts(report_of(operator, other, "--replace"))
    assert [("20000.50",)] == [(f"{close:.2f}",) for start, close in worker_env.rows(STORED, OLD)
                               if start == BEGINS + MINUTE]  # fmt: skip
    assert [(BEGINS + MINUTE,)] == worker_env.rows("SELECT start FROM bar_correction")


def test_what_is_refused_is_told_with_its_reason_and_lines_and_the_rest_is_stored(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "mixed.csv",
        [
            line(0),
            line(1, "20000.30"),
            line(2, "20009.00"),
            line(3, at=datetime(2025, 8, 5, 21, 10, tzinfo=UTC)),
            line(4, at=datetime(2025, 8, 9, 14, 0, tzinfo=UTC)),
            line(5),
            line(5, "20000.50"),
            line(0),
            "2025-08-05 nonsense",
        ],
    )
    done = run(operator, file, "--json")
    (report,) = done.json["files"]

    assert (1, 9, 1, 1) == (done.status, report["line_count"], report["new"], report["repeated"])
    assert {
        "off_tick": [3],
        "not_ordered": [4],
        "outside_session": [5, 6],
        "contradiction": [7, 8],
        "ragged": [10],
    } == {one["reason"]: [example["line_number"] for example in one["examples"]] for one in report["refused"]}
    examples = {example["line_number"]: example["record"] for one in report["refused"] for example in one["examples"]}
    assert "2025-08-05 nonsense" == examples[10]
    assert [(BEGINS,)] == [(start,) for start, _ in worker_env.rows(STORED, OLD)]
    words = run(operator, file).words
    assert "a price is between two ticks" in words
    assert "the market was closed: a pause, a weekend or a holiday" in words


def test_a_dry_run_stores_nothing(operator: RunCommand, worker_env: WorkerEnv, file: Path) -> None:
    done = run(operator, file, "--dry-run", "--json")

    assert (0, True) == (done.status, done.json["is_dry_run"])
    assert (10, 0, 0, 0) == counts(done.json["files"][0])
    assert [] == worker_env.rows("SELECT 1 FROM contract WHERE id = %s", OLD)
    assert "10 bars would be new" in run(operator, file, "--dry-run").words


def test_times_without_an_offset_need_a_zone(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    rows = ["2025-08-05 09:30;20000;20001;19999;20000.25;7"]
    file = write(tmp_path / "local.csv", rows, "Time;Open;High;Low;Last;Volume")
    refused = run(operator, file)
    assert (1, True) == (refused.status, "name their zone, as --zone America/Chicago" in refused.words)
    assert [] == worker_env.rows(STORED, OLD)
    assert "invalid zone 'Chicago'" in run(operator, file, "--zone", "Chicago").words
    run(operator, file, "--zone", "America/Chicago")

    assert [(BEGINS,)] == [(start,) for start, _ in worker_env.rows(STORED, OLD)]


def test_a_file_with_the_bars_of_several_contracts_is_refused(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    rows = [f"{line(0)},MNQU5", f"{line(1)},MNQU5"]
    one = write(tmp_path / "one.csv", rows, "t,o,h,l,c,v,symbol")
    several = write(tmp_path / "several.csv", [*rows, f"{line(2)},MNQU5-MNQZ5"], "t,o,h,l,c,v,symbol")
    done = run(operator, several, one)

    assert "it has bars of several contracts, such as MNQU5 and MNQU5-MNQZ5: give one contract a file" in done.words
    assert 2 == len(worker_env.rows(STORED, OLD))


@pytest.mark.parametrize(
    ("name", "is_other"),
    [("ESU5", True), ("MNQZ5", True), ("ES", True), ("MNQU2025", False), ("MNQ", False), ("MNQ 09-25", False)],
)
def test_a_file_that_names_another_contract_is_refused(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path, name: str, *, is_other: bool
) -> None:
    rows = [f"{line(number)},{name}" for number in range(2)]
    report = report_of(operator, write(tmp_path / "named.csv", rows, "t,o,h,l,c,v,symbol"))

    expected = f"it has bars of {name}: expected those of {OLD}, as --contract says"
    assert expected == report["error"] if is_other else (None, 2) == (report["error"], report["new"])
    assert 2 * (not is_other) == len(worker_env.rows(STORED, OLD))


def test_a_file_without_a_heading_is_read_by_numbers(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    file = tmp_path / "MNQ.txt.csv.gz"
    with gzip.open(file, "wt") as text:
        text.write("20250805 143100,20000,20001,19999,20000.25,7\r\n")
    columns = "time=1,open=2,high=3,low=4,close=5,volume=6"
    run(operator, file, "--columns", columns, "--zone", "UTC", "--stamp", "end")

    assert [(BEGINS,)] == [(start,) for start, _ in worker_env.rows(STORED, OLD)]


def test_a_file_that_cannot_be_read_stops_no_other(
    operator: RunCommand, worker_env: WorkerEnv, file: Path, tmp_path: Path
) -> None:
    wrong = write(tmp_path / "wrong.csv", [line(0)], "when,o,h,l,c,v")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"t,o,h,l,c,v\n" * 9_000)[:-20])
    pq = tmp_path / "text.parquet"
    pq.write_text("text")
    done = run(operator, wrong, cut, pq, file, "--json")

    errors = [report["error"] for report in done.json["files"]]
    assert (1, True) == (done.status, errors[0].startswith("no column is known as the time"))
    assert errors[1].startswith(f"cannot read {cut}")
    assert errors[2].startswith((f"cannot read {pq} as parquet", "parquet files need pyarrow"))
    assert (None, 10) == (errors[3], len(worker_env.rows(STORED, OLD)))


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        ("MNQ", "invalid contract 'MNQ': expected one month of MNQ"),
        ("MNQU5", "invalid contract 'MNQU5': expected its year with two digits"),
        ("MNQF25", "MNQ has no month F"),
    ],
)
def test_a_contract_that_is_not_one_month_is_refused(
    operator: RunCommand, file: Path, contract: str, message: str
) -> None:
    assert message in operator("bars", "import", str(file), "--contract", contract).words


def list_stamps(worker_env: WorkerEnv) -> list[bytes]:
    """Return the keys that say that older bars of the contract have changed."""
    return list(worker_env.redis.scan_iter(f"tickwork:bars_stamp:*:{MNQ}"))


def test_a_bar_that_the_venue_is_asked_for_again_is_not_replaced(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    begins = worker_env.venue.clock.now().replace(hour=22, minute=0, second=0, microsecond=0) - timedelta(days=2)
    newest = "SELECT start, close, volume FROM bars WHERE contract = %s AND start {} %s ORDER BY start {} LIMIT 1"
    stored = [
        *worker_env.rows(newest.format("<", "DESC"), MNQ, begins),
        *worker_env.rows(newest.format(">=", "ASC"), MNQ, begins),
    ]
    rows = [f"{at:%Y-%m-%dT%H:%M:%SZ},{close},{close},{close},{close},{volume + 1}" for at, close, volume in stored]
    file = write(tmp_path / "two.csv", rows)
    arguments = ("bars", "import", str(file), "--contract", MNQ, "--replace")
    dry = operator(*arguments, "--dry-run", "--json").json["files"]
    ((report,), words) = operator(*arguments, "--json").json["files"], operator(*arguments).words

    assert (0, 1, 0, 1) == counts(report) == counts(dry[0])
    ((refused,),) = (report["refused"],)
    assert ("differs", [3]) == (refused["reason"], [one["line_number"] for one in refused["examples"]])
    assert "the venue is asked for the newest two sessions of a tracked contract every hour" in words
    worker_env.execute("UPDATE contract SET is_tracked = false")
    ((report,),) = (operator(*arguments, "--json").json["files"],)
    assert (0, 1, 1, 0) == counts(report)


def test_what_was_computed_from_replaced_bars_is_marked_and_the_cache_forgets_them(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    ((at, close),) = worker_env.rows(
        "SELECT start, close FROM bars WHERE contract = %s AND start < '2026-03-08' ORDER BY start DESC LIMIT 1", MNQ
    )
    worker_env.execute(
        "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, decision, reason, duration_ms)"
        f" VALUES ('one', '{MNQ}', '{at + MINUTE}', 'none', '', 1), ('one', '{MNQ}', '{at}', 'none', '', 1)"
    )
    operator("bars", "show", "MNQ")
    for stamp in list_stamps(worker_env):
        worker_env.redis.delete(stamp)
    file = write(tmp_path / "one.csv", [f"{at:%Y-%m-%dT%H:%M:%SZ},{close},{close + 10},{close - 10},{close},7"])
    ((report,),) = (operator("bars", "import", str(file), "--contract", MNQ, "--replace", "--json").json["files"],)

    assert (0, 1, 0, 0) == counts(report)
    assert [(False,), (True,)] == worker_env.rows(
        "SELECT bars_corrected_at IS NOT NULL FROM strategy_run WHERE strategy = 'one' ORDER BY closed_until_market_at"
    )
    assert 1 == len(list_stamps(worker_env))
    shown = operator("bars", "show", "MNQ", "--since", at.isoformat(), "--json").json["bars"]
    assert [7] == [row["volume"] for row in shown if row["start"] == at.isoformat()]


def test_a_recorded_month_is_imported(operator: RunCommand, worker_env: WorkerEnv, recorded_bars: Path) -> None:
    done = operator("bars", "import", str(recorded_bars), "--contract", "MGCM22", "--json")
    (report,) = done.json["files"]

    ((count,),) = worker_env.rows("SELECT count(*) FROM bars WHERE contract = 'CON.F.US.MGC.M22'")
    assert (0, [], count, count) == (done.status, report["refused"], report["line_count"], report["new"])
    (checked,) = operator("bars", "check", "MGCM22", "--days", "3650", "--json").json["contracts"]
    assert count == checked["bars"]
    assert {"gap"} >= {row["fault"] for row in checked["findings"]}
