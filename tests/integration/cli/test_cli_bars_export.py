"""`tickwork bars export`: CSV and parquet files that hold what is stored, and that the import reads again."""

import csv
import gzip
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

ROWS = "SELECT start, open, high, low, close, volume FROM bars WHERE contract = %s ORDER BY start"


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz", "bars.parquet"])
def test_what_is_exported_is_imported_as_what_is_stored(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path, name: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    ((count,),) = worker_env.rows("SELECT count(*) FROM bars WHERE contract = %s", MNQ)
    file = tmp_path / name
    done = operator("bars", "export", "MNQ", "--to", str(file))
    (report,) = operator("bars", "import", str(file), "--contract", MNQ, "--json").json["files"]

    assert (0, True) == (done.status, f"Wrote {count:,} bars of MNQ H26 to {file}." in done.error)
    assert (count, count, 0, []) == tuple(report[key] for key in ("line_count", "unchanged", "new", "refused"))


def test_csv_has_exact_prices_and_instants(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv.gz"
    operator("bars", "export", "MNQ", "--to", str(file))
    with gzip.open(file, "rt") as text:
        found = list(csv.reader(text))

    assert ["start", "open", "high", "low", "close", "volume"] == found[0]
    assert [
        [f"{start:%Y-%m-%dT%H:%M:%SZ}", *(f"{price:.2f}" for price in prices), str(volume)]
        for start, *prices, volume in worker_env.rows(ROWS, MNQ)
    ] == found[1:]


def test_the_minutes_without_which_longer_bars_were_made_are_named(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    ((last,),) = worker_env.rows("SELECT max(start) FROM bars WHERE contract = %s", MNQ)
    hour = last.replace(minute=0) - timedelta(hours=3)
    hole = hour + timedelta(minutes=20), hour + timedelta(minutes=25)
    worker_env.execute(f"""
        DELETE FROM bar_minute WHERE start >= '{hole[0]}' AND start < '{hole[1]}';
        UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{hole[0]}', '{hole[1]}'))
    """)

    def export(name: str, *span: str) -> str:
        return operator("bars", "export", "MNQ", "--timeframe", "1h", *span, "--to", str(tmp_path / name)).error

    named = f"Gaps: 5 minutes ({hole[0]:%Y-%m-%d %H:%M} to {hole[1]:%H:%M}); `tickwork bars backfill MNQ` fetches them."
    assert named in export(
        "of_it.csv", "--since", hour.isoformat(), "--until", (hour + timedelta(minutes=1)).isoformat()
    )
    assert "Gaps" not in export("after.csv", "--since", (hour + timedelta(hours=1)).isoformat())
    assert "Gaps" not in export("before.csv", "--until", hour.isoformat())
    assert named in export("from_it.csv", "--since", hour.isoformat())
    assert "Gaps" not in export("within.csv", "--since", (hour + timedelta(minutes=1)).isoformat())


def test_longer_bars_of_a_span_are_exported(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    ((first, last),) = worker_env.rows("SELECT min(start), max(start) FROM bars WHERE contract = %s", MNQ)
    since, until = first + (last - first) / 3, first + 2 * (last - first) / 3
    file = tmp_path / "hours.csv"
    span = ("--since", since.isoformat(), "--until", until.isoformat())
    done = operator("bars", "export", MNQ, "--timeframe", "1h", *span, "--to", str(file))

    expected = worker_env.rows("SELECT start FROM bars_between(%s, '1h', %s, %s)", MNQ, since, until)
    with file.open() as text:
        assert [f"{start:%Y-%m-%dT%H:%M:%SZ}" for (start,) in expected] == [
            row["start"] for row in csv.DictReader(text)
        ]
    assert 0 == done.status
    assert expected


def test_one_bar_is_no_bars(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    ((last,),) = worker_env.rows("SELECT max(start) FROM bars WHERE contract = %s", MNQ)
    file = tmp_path / "one.csv"
    until = (last + timedelta(minutes=1)).isoformat()
    done = operator("bars", "export", "MNQ", "--since", last.isoformat(), "--until", until, "--to", str(file))

    assert f"Wrote 1 bar of MNQ H26 to {file}." in done.error
    assert "1 line, 0 new, 0 refused" in operator("bars", "import", str(file), "--contract", MNQ).error


def test_a_file_that_is_there_is_left_alone(operator: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("mine")
    done = operator("bars", "export", "MNQ", "--to", str(file))

    assert (1, True, "mine") == (done.status, "is there already: choose a new file" in done.words, file.read_text())


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
@pytest.mark.parametrize(
    ("span", "message"),
    [
        (
            ("--since", "2026-03-09", "--until", "2026-03-08"),
            "no time lies from --since 2026-03-09 on and before --until ",
        ),
        (("--since", "2026-03-09T14:30", "--until", "2026-03-09T14:30"), "--until 2026-03-09T14:30"),
        (("--since", "2099-01-01"), "invalid --since '2099-01-01 00:00': it is in the future, as market time is now"),
        (("--until", "2020-01-01"), "and before 2020-01-01 00:00 UTC, as the stored minutes begin at 2026-"),
        (("--timeframe", "1mo"), "no closed bars of MNQ with timeframe 1mo start from 2026-"),
    ],
)
def test_a_span_without_bars_is_refused_and_writes_nothing(
    operator: RunCommand, tmp_path: Path, span: tuple[str, ...], message: str, name: str
) -> None:
    new, mine = tmp_path / name, tmp_path / f"mine-{name}"
    mine.write_text("mine")
    for file in (new, mine):
        done = operator("bars", "export", "MNQ", *span, "--to", str(file))
        assert (True, message in done.words) == (done.status != 0, True), done.words

    assert (False, "mine") == (new.exists(), mine.read_text())


def test_without_pyarrow_the_extra_is_named(
    operator: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = tmp_path / "bars.parquet"
    done = operator("bars", "export", "MNQ", "--to", str(file))

    assert (1, False) == (done.status, file.exists())
    assert "parquet files need pyarrow, which is not installed: it is the extra `parquet`" in done.words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("MNQ", "--to", "bars.xlsx"), "expected a name that ends in .csv, .csv.gz, .parquet"),
        (("MNQ",), "--to"),
        (("MNQ", "--to", "missing/bars.csv"), "cannot write missing/bars.csv: no such file or directory"),
        (("MESZ25", "--to", "bars.csv"), "no contract of MESZ25 is known"),
    ],
)
def test_what_cannot_be_written_is_refused(
    operator: RunCommand, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = operator("bars", "export", *arguments)

    assert 0 != done.status
    assert message in done.words
    assert [] == list(tmp_path.glob("*.*"))
