"""`tickwork conformance` against a simulator: nothing differs, a changed behaviour does, and nothing is left behind."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulator.conformance.rest import decode_json
from simulator.conformance.search_checks import describe_fees
from tests.fixtures.json_schemas import check_output
from tests.fixtures.order_sessions import WITH_ORDERS
from tests.fixtures.processes import clean_environment, free_port, until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue

PROGRAM = [sys.executable, "-m", "simulator.conformance"]
COMMAND = [sys.executable, "-c", "from cli.commands.conformance import command; command(prog_name='tickwork')"]
ON_SATURDAY = datetime(2026, 3, 14, 15, 0, tzinfo=UTC)


@dataclass
class ConformanceRun:
    """A finished run: its exit code, output, errors and report ("" without one)."""

    code: int
    output: str
    errors: str
    report: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        check_output(["conformance", "--json"], self.output)
        found: list[dict[str, Any]] = json.loads(self.output)["rows"]
        return found

    def ids(self, verdict: str) -> set[str]:
        return {row["id"] for row in self.rows if row["verdict"] == verdict}

    def observed(self, id_: str) -> str:
        (found,) = (row["observed"] for row in self.rows if row["id"] == id_)
        return str(found)


def environment_of(venue: RunningVenue) -> dict[str, str]:
    return clean_environment() | {"TICKWORK_VENUE_KEY": venue.key, "COLUMNS": "200"}


def arguments_of(venue: RunningVenue, folder: Path, *options: str) -> list[str]:
    return ["--url", venue.url, "--user", venue.user, "--seconds", "2", "--report", str(folder / "report.md"), *options]


def run(venue: RunningVenue, folder: Path, *options: str, program: list[str] = PROGRAM) -> ConformanceRun:
    done = subprocess.run(
        [*program, *arguments_of(venue, folder, *options)], env=environment_of(venue), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = folder / "report.md"
    return ConformanceRun(done.returncode, done.stdout, done.stderr, report.read_text() if report.exists() else "")


def test_nothing_differs_from_our_own_simulator_and_no_order_is_placed(venue: RunningVenue, tmp_path: Path) -> None:
    found = run(venue, tmp_path, "--json")

    assert set() == found.ids("differs"), found.output
    assert [] == [row for row in found.rows if row["is_failed"]]
    assert 0 == found.code
    assert {"q9.end_time_inclusive", "q11.query_page_size_range", "s7.quote_symbol"} <= found.ids("same")
    assert 0 == venue.get_status()["order_count"]
    for number in range(1, 17):
        assert any(row["id"].startswith(f"q{number}.") for row in found.rows), f"question {number} has no row"


def test_nothing_differs_with_orders_and_nothing_is_left_behind(start_venue: StartVenue, tmp_path: Path) -> None:
    venue = start_venue(options=["--accounts", "EXPRESS"])
    before = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert set() == found.ids("differs"), found.output
    assert [] == [row for row in found.rows if row["is_failed"]]
    assert 0 == found.code
    assert "stop or halt a Tickwork stack" in found.errors, "--yes skips the question, not the warning"
    assert {"q1.tag_in_use", "q5.actions", "q6.cancel_one_leg", "q13.reversal", "q15.several_accounts"} <= found.ids(
        "same"
    )
    assert 0 == venue.position()
    assert [] == working_orders(venue)
    balances = [row["balance"] for row in venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]]
    assert balances[1:] == [row["balance"] for row in before[1:]], "only the named account trades"


def test_the_report_has_every_row_and_a_sample_of_each_message_but_nothing_personal(
    venue: RunningVenue, tmp_path: Path
) -> None:
    venue.place(customTag="a private tag", type=1, limitPrice=20000)
    name = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["name"]

    found = run(venue, tmp_path, program=COMMAND)

    assert 0 == found.code, found.output + found.errors
    assert "not asked" in found.output
    assert "| `q9.end_time_inclusive` |" in found.report
    assert "### /api/Order/search\n" in found.report
    assert "### hub GatewayQuote\n" in found.report
    for secret in (venue.key, venue.user, name, str(venue.account_id), "a private tag", "eyJ"):
        assert secret not in found.report + found.output + found.errors, secret


def test_changed_answers_differ_and_nothing_else_does(venue: RunningVenue, tmp_path: Path) -> None:
    venue.place(type=1, limitPrice=20000)
    for path, kind in (
        ("/api/History/retrieveBars", "naive_timestamps"),
        ("/api/Order/search", "unknown_enum"),
        ("/api/Order/searchOpen", "seven_digits"),
        ("/api/Position/searchOpen", "null_list"),
        ("/api/Trade/search", "absent_list"),
    ):
        venue.faults(path=path, kind=kind, count=None)

    found = run(venue, tmp_path, "--json")

    assert {
        "s5.bar_fields", "s5.order_fields", "s5.search_open_statuses", "s5.position_fields", "s5.trade_fields",
    } == found.ids("differs")  # fmt: skip
    assert "10 bars: t has the form 0000-00-00T00:00:00" == found.observed("s5.bar_fields")
    assert "1 rows: status is 99, which no document lists" == found.observed("s5.order_fields")
    assert 1 == found.code


def test_a_search_that_cannot_be_served_answers_no_question(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/Contract/search", kind="status", status=503, count=None)

    found = run(venue, tmp_path, "--json")

    assert set() == found.ids("differs"), found.output
    assert {"s5.search_fuzzy", "s5.search_without_text"} == {row["id"] for row in found.rows if row["is_failed"]}
    assert 2 == found.code


def test_fewer_bars_than_there_are_differ(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/History/retrieveBars", kind="short_page", count=None)

    found = run(venue, tmp_path, "--json")

    assert "s5.bar_limit_keeps" in found.ids("differs")
    assert "q9.bar_count" in found.ids("answered")


def test_a_changed_behaviour_differs(venue: RunningVenue, tmp_path: Path) -> None:
    venue.control("PUT", "behaviour", {"minute_days": 63, "market_payloads": "object"})
    venue.set_account(close_cancels_legs=True)

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    expected = {"s5.minute_depth", "s7.trade_form", "s7.depth_form", "q6.close_cancels_legs"}
    assert expected <= found.ids("differs")
    assert found.ids("differs") <= expected | {"q9.bar_count"}
    assert "it gets status 3" == found.observed("q6.close_cancels_legs")
    assert 1 == found.code


def test_in_a_closed_market_the_orders_answer_the_closed_code_alone(start_venue: StartVenue, tmp_path: Path) -> None:
    venue = start_venue(market_origin=ON_SATURDAY)

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert "q7.closed_code" in found.ids("same")
    assert "q13.reversal" in found.ids("not asked")
    assert set() == found.ids("differs"), found.output
    assert 0 == found.code


def test_the_code_of_a_closed_market_differs_if_it_is_changed(start_venue: StartVenue, tmp_path: Path) -> None:
    venue = start_venue(market_origin=ON_SATURDAY)
    venue.control("PUT", "behaviour", {"closed_code": 5})

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert {"q7.closed_code"} == found.ids("differs")
    assert 1 == found.code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--url", "http://api.topstepx.com"], "expected https"),
        (["--url", "ftp://127.0.0.1"], "expected a URL"),
        (["--user", "another"], "the login was refused"),
        (["--orders", "--yes"], "--orders needs --account"),
        (["--orders", "--account", "20001"], "needs a confirmation"),
        (["--orders", "--yes", "--account", "20002"], "is no simulated practice account"),
        (["--orders", "--yes", "--account", "20001", "--contract", "ES"], "invalid --contract"),
        (["--orders", "--yes", "--account", "20001", "--contract", "MES"], "has a position or a working order"),
        (["--account", "9", "--orders", "--yes"], "no account 9"),
        (["--report", "/nowhere/report.md"], "cannot write"),
    ],
)
def test_bad_input_ends_with_2_before_anything_is_asked(
    start_venue: StartVenue, tmp_path: Path, options: list[str], message: str
) -> None:
    venue = start_venue(options=["--accounts", "EXPRESS"])
    venue.place(contractId="CON.F.US.MES.H26", type=1, limitPrice=4000)

    found = run(venue, tmp_path, *options)

    assert message in found.errors
    assert (2, "", "") == (found.code, found.output, found.report)
    assert 1 == venue.get_status()["order_count"]


def test_an_interruption_before_the_first_question_ends_with_2(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/Auth/loginKey", kind="delay_before", seconds=60, count=1)
    process = subprocess.Popen(
        [*PROGRAM, *arguments_of(venue, tmp_path)], env=environment_of(venue), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: venue.control("GET", "requests").json()["counts"].get("/api/Auth/loginKey"), what="the login")
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)

    assert (2, ("", "interrupted\n")) == (process.returncode, output)


def test_an_unreachable_gateway_ends_with_2(venue: RunningVenue, tmp_path: Path) -> None:
    found = run(venue, tmp_path, "--url", f"http://127.0.0.1:{free_port()}")

    assert 2 == found.code
    assert "gave no answer" in found.errors


def working_orders(venue: RunningVenue) -> list[dict[str, Any]]:
    answer = venue.post(
        "/api/Order/v2/query",
        filter={"accountId": venue.account_id, "statuses": [1, 6, 7, 8], "contractId": MNQ},
    )
    found: list[dict[str, Any]] = answer["orders"]
    return found


@pytest.mark.parametrize("raw", [b"{", b'"\xff"', b"[" * 3_000 + b"]" * 3_000])
def test_text_that_is_no_json_is_one_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(raw)


def test_the_fees_of_a_product_are_the_same_under_both_forms_of_its_contract() -> None:
    row = {"size": 1, "fees": Decimal("0.36"), "commissions": Decimal("0.25")}
    found = describe_fees([row | {"contractId": id_} for id_ in (MNQ, "F.US.MNQ")])

    assert ("MNQ 0.36 + 0.25", "same") == (found.observed, found.verdict)


def test_prices_are_compared_exactly() -> None:
    assert Decimal("6335.250000000") == decode_json(b"6335.250000000")
    assert "6335.250000000" == str(decode_json(b"6335.250000000"))
