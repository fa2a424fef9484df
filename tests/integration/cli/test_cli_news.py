"""`tickwork accounts news import`: a calendar file becomes news windows of accounts, asked for and audited."""

from datetime import datetime, timedelta
from pathlib import Path

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


def write_csv(folder: Path, *events: tuple[str, datetime]) -> str:
    file = folder / "calendar.csv"
    file.write_text("name,at\n" + "".join(f"{name},{at.isoformat()}\n" for name, at in events))
    return str(file)


def imported(worker_env: WorkerEnv) -> list[str]:
    """Return the names of the account's imported events."""
    ((changes,),) = worker_env.rows("SELECT rule_changes FROM account WHERE id = 20001")
    return [window.partition(",")[0] for window in changes.get("imported_news", "").split("; ") if window]


def test_an_import_shows_the_events_asks_and_is_audited(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    at = (worker_env.venue.clock.now() + timedelta(days=1)).replace(microsecond=0)
    file = tmp_path / "calendar.ics"
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", f"DTSTART:{at:%Y%m%dT%H%M%SZ}", "SUMMARY:CPI", "END:VEVENT"]
    file.write_text("\r\n".join([*lines, "END:VCALENDAR", ""]))

    unanswered = operator("accounts", "news", "import", str(file))
    declined = operator("accounts", "news", "import", str(file), typed="n\n")
    assert 1 == unanswered.status == declined.status
    assert "add --yes to import them" in unanswered.error
    assert "CPI" in declined.out
    assert [] == imported(worker_env)
    accepted = operator("accounts", "news", "import", str(file), "--reason", "the firm names CPI", typed="y\n")

    assert 0 == accepted.status, accepted.words
    assert ["CPI"] == imported(worker_env)
    (act,) = operator("accounts", "audit", "20001", "--json").json["acts"]
    assert ("rules", "the firm names CPI", {}) == (act["act"], act["reason"], act["before"]["rule_changes"])
    assert "1 news event of calendar.ics imported, by hand" in operator("accounts", "show", "20001").words
    again = operator("accounts", "news", "import", str(file))
    assert (0, "Nothing to import: 0 of 1 event are past, the rest is set.\n") == (again.status, again.out)


def test_an_import_skips_the_past_and_what_is_set_and_replaces_on_request(
    operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path
) -> None:
    now = worker_env.venue.clock.now()
    soon, later, past = now + timedelta(days=1), now + timedelta(days=2), now - timedelta(hours=1)
    operator("accounts", "rules", "20001", f"news=by hand, {soon.isoformat()}, 30, 30")
    file = write_csv(tmp_path, ("past", past), ("by hand", soon), ("CPI", soon), ("CPI", soon))
    first = operator("accounts", "news", "import", file, "--account", "20001", "--yes", "--json").json

    assert (["CPI"], 1) == ([event["event"] for event in first["events"]], first["past_count"])
    assert [{"id": 20001, "added_count": 1, "removed_count": 0}] == first["accounts"]
    file = write_csv(tmp_path, ("FOMC", later), ("Real Earnings", later))
    operator("accounts", "news", "import", file, "--only", "fomc", "--yes")
    assert ["CPI", "FOMC"] == imported(worker_env)
    operator("accounts", "news", "import", write_csv(tmp_path, ("NFP", later)), "--replace", "--yes")
    assert ["NFP"] == imported(worker_env)
    stale = operator("accounts", "news", "import", write_csv(tmp_path, ("past", past)), "--replace", "--yes")
    assert "is still to come: nothing was changed" in stale.error
    assert ["NFP"] == imported(worker_env)
    rules = {row["rule"]: row["value"] for row in operator("accounts", "rules", "20001", "--json").json["rules"]}
    assert "by hand" in rules["news"], "an import leaves what was set by hand"


def test_a_file_that_is_no_calendar_names_its_line(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    wrong = tmp_path / "calendar.txt"
    wrong.write_text("CPI")
    floating = tmp_path / "calendar.csv"
    floating.write_text("name,at\nCPI,2026-12-10T08:30\n")

    assert "expected a name that ends with .ics or .csv" in operator("accounts", "news", "import", str(wrong)).error
    assert "calendar.csv', line 2: invalid at" in operator("accounts", "news", "import", str(floating)).words
    assert [] == imported(worker_env)
