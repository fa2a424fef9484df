"""Tables of commands: whole in a file or pipe, as wide as a terminal, and as CSV."""

import csv
import io
import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from cli.console.list_options import list_options, watch
from cli.console.params import json_option
from cli.console.table import Table
from shared.clock import machine_now

LONG = "the venue refused the order, " * 10 + "and this is the end"
ORDER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class Screen(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(monkeypatch: pytest.MonkeyPatch, table: Table, rows: list[dict[str, Any]], width: int = 80) -> str:
    """Return what a terminal of that width shows."""
    screen = Screen()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", screen)
        patched.setenv("COLUMNS", str(width))
        table.print(rows, empty="None.")
    return screen.getvalue()


def print_reasons(*reasons: str) -> None:
    rows = [{"id": "one", "reason": reason, "count": 1} for reason in reasons]
    Table("Alerts", ("id", "reason", "count")).print(rows, empty="None.")


def test_a_long_cell_goes_whole_into_a_pipe_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_reasons(LONG, "short")

    lines = capsys.readouterr().out.splitlines()
    assert 1 == sum(LONG in line for line in lines)
    assert [] == [line for line in lines if line != line.rstrip()]
    assert ["Alerts", "short"] == [lines[0], lines[-2].split()[1]]


@pytest.mark.parametrize("width", [40, 100])
def test_a_terminal_wraps_a_text_and_cuts_nothing(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    rows = [{"id": "one", "reason": LONG, "count": 1}]
    lines = show(monkeypatch, Table("Alerts", ("id", "count", "reason")), rows, width).splitlines()

    assert width >= max(map(len, lines))
    assert LONG.split() == " ".join(lines[3:]).split()[2:]


def test_the_least_important_columns_go_first_and_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("Fills", ("id", "reason", "origin", "fees"), spare=("origin", "fees"))
    rows: list[dict[str, Any]] = [{"id": ORDER, "reason": LONG, "origin": "x" * 75, "fees": Decimal(1)}]

    narrow, wide = show(monkeypatch, table, rows, 80), show(monkeypatch, table, rows, 120)
    assert "Not shown: origin (-o wide shows all)" in narrow
    assert "x" * 75 not in narrow
    assert "fees" in narrow.splitlines()[1]
    assert "x" * 75 in wide


def test_no_number_is_cut_in_a_terminal_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": ORDER, "price": Decimal("26517.25"), "net": Decimal("-1234567.5")}]
    monkeypatch.setenv("NO_COLOR", "1")

    assert "099a8057  26517.25  -1234567.50" in show(monkeypatch, Table("Prices", ("id", "price", "net")), rows, 20)


def test_ids_contracts_and_accounts_are_short_but_in_the_wide_form() -> None:
    row = {"id": ORDER, "contract_id": "CON.F.US.MNQ.Z26", "account_name": "50KTC-V2-20001-58378919"}

    short, wide = run_list([row]).output, run_list([row], "-o", "wide").output
    assert "099a8057  MNQ Z26   50KTC-8919" in short
    assert f"{ORDER}  CON.F.US.MNQ.Z26  50KTC-V2-20001-58378919" in wide


def test_a_column_of_prices_has_the_same_places_and_money_has_two(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"price": Decimal("26517.25"), "net": Decimal(5)}, {"price": Decimal(26518), "net": Decimal("-2.5")}]
    Table("Trades", ("price", "net")).print(rows, empty="None.")

    assert ["26517.25   5.00", "26518.00  -2.50"] == capsys.readouterr().out.splitlines()[3:5]


def test_a_price_has_the_decimals_of_its_contract_whatever_stands_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        {"contract": f"CON.F.US.{product}.Z26", "last": Decimal(last), "average": Decimal(average)}
        for product, last, average in (
            ("MES", "7219", "7219.083333333"), ("MES", "7219.25", "7219.250000000"), ("M6E", "1.103", "1.10366"),
            ("MYM", "44000", "44000"),
        )
    ]  # fmt: skip
    Table("Quotes", ("last", "average")).print(rows, empty="None.")

    shown = [line.split() for line in capsys.readouterr().out.splitlines()[3:7]]
    assert [["7219.00", "7219.0833"], ["7219.25", "7219.25"], ["1.1030", "1.103660"], ["44000", "44000"]] == shown


def test_a_profit_by_an_average_price_has_no_more_decimals_than_a_tick_is_worth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"open_profit": Decimal("1.000000002")}, {"open_profit": Decimal("-5.5")}]
    Table("Positions", ("open_profit",)).print(rows, empty="None.")
    Table("Positions", ("open_profit",)).print([{"open_profit": Decimal("15.625000001")}], empty="None.")

    assert ["1.00", "-5.50", "15.625"] == re.findall(r"-?\d+\.\d+", capsys.readouterr().out)


def test_side_state_and_result_have_colours_but_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = Table("Trades", ("side", "state", "net")), [{"side": "BUY", "state": "REJECTED", "net": Decimal(-5)}]
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored = re.findall(r"\x1b\[3\dm[A-Z\-0-9.]+", show(monkeypatch, table, rows))
    assert ["\x1b[32mBUY", "\x1b[31mREJECTED", "\x1b[31m-5.00"] == colored

    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in show(monkeypatch, table, rows)


def test_an_instant_of_market_time_says_so_beside_one_of_machine_time(capsys: pytest.CaptureFixture[str]) -> None:
    now = machine_now()
    Table("Fills", ("created_at", "filled_market_at")).print([{"created_at": now, "filled_market_at": now}], empty="")

    assert ["created", "filled", "market"] == capsys.readouterr().out.splitlines()[1].split()


def test_a_date_of_another_year_has_its_year(capsys: pytest.CaptureFixture[str]) -> None:
    now = machine_now()
    old = datetime(now.year - 1, 12, 31, 23, 59, 58, tzinfo=UTC)
    Table("Alerts", ("at",)).print([{"at": now}, {"at": old}], empty="None.")

    shown = capsys.readouterr().out
    assert f"{now:%m-%d %H:%M:%S}" in shown
    assert f"{now.year}" not in shown
    assert f"{old.year}-12-31 23:59" in shown


def test_an_empty_table_is_one_sentence_however_narrow_the_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    Table("Alerts", ("id",)).print([], empty="No alerts yet: add a webhook with `tickwork hooks add NAME`.")

    assert "No alerts yet: add a webhook with `tickwork hooks add NAME`.\n" == capsys.readouterr().out


def run_list(rows: list[dict[str, Any]], *arguments: str) -> Any:
    """Run a command that lists rows, and shows another table beside them."""
    orders = Table("Orders", tuple(rows[0]) if rows else ("id",), is_list=True)

    @click.command()
    @json_option
    @list_options
    def command(*, as_json: bool) -> None:
        if as_json:
            click.echo("as json")
            return
        Table("Others", ("id",)).print([{"id": "another"}], empty="")
        orders.print(rows, empty="No orders.")

    return CliRunner().invoke(command, list(arguments))


def test_csv_has_the_list_alone_with_whole_values() -> None:
    at = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
    rows = [{"id": ORDER, "created_at": at, "price": Decimal("26517.250"), "reason": 'a "b", c', "net": None}]

    (heading, row) = list(csv.reader(io.StringIO(run_list(rows, "-o", "csv").output)))

    assert ["id", "created_at", "price", "reason", "net"] == heading
    assert [str(ORDER), "2026-03-09T14:30:00+00:00", "26517.250", 'a "b", c', ""] == row


def test_chosen_columns_are_shown_in_their_order_and_of_the_list_alone() -> None:
    found = run_list([{"id": ORDER, "side": "BUY", "quantity": 2}], "--columns", "quantity,id")

    assert ["quantity", "id"] == found.output.splitlines()[1].split()
    assert "another" not in found.output


def test_an_unknown_column_names_those_there_are() -> None:
    found = run_list([{"id": ORDER, "side": "BUY"}], "--columns", "sied")

    assert 2 == found.exit_code
    assert "invalid --columns 'sied': expected any of id, side" in found.output
    assert "invalid --columns 'sied': expected any of id" in run_list([], "--columns", "sied").output


def test_columns_are_chosen_by_their_headings_too() -> None:
    rows = [{"created_at": None, "account_name": "50KTC-V2-20001-58378919", "stop_price": Decimal(5)}]
    found = run_list(rows, "--columns", "stop price,account,created", "-o", "csv")

    assert ["stop_price,account_name,created_at", "5,50KTC-V2-20001-58378919,"] == found.output.splitlines()


def test_columns_are_not_chosen_of_json() -> None:
    assert "JSON has every field" in run_list([{"id": ORDER}], "--json", "--columns", "id").output
    assert "as json\n" == run_list([{"id": ORDER}], "-o", "json").output


def test_a_watched_list_is_printed_again_until_it_is_interrupted() -> None:
    runs = []

    @click.command()
    @json_option
    @list_options
    def command(*, as_json: bool) -> None:  # noqa: ARG001  # list_options needs it
        runs.append(1)
        if len(runs) == 3:
            raise KeyboardInterrupt
        Table("Orders", ("count",), is_list=True).print([{"count": len(runs)}], empty="")

    found = CliRunner().invoke(command, ["--watch", "0.2"])
    assert 3 == len(runs)
    assert ["1", "2"] == [line.strip() for line in found.output.splitlines() if line.strip().isdigit()]


def test_a_text_of_the_venue_cannot_write_over_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b]0;title\x07\x1b[1A\x1b[2KFILLED"
    Table("Orders", ("reason", "tags")).print([{"reason": text, "tags": [text]}], empty="")

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert 2 == shown.count("\\x1b[2KFILLED")


def test_a_note_of_several_lines_is_one_and_an_error_is_shown_by_its_last(capsys: pytest.CaptureFixture[str]) -> None:
    text = "first\nsecond"
    Table("Trades", ("note", "error")).print([{"note": text, "error": text}], empty="")

    assert ["first second", "second"] == re.split("  +", capsys.readouterr().out.splitlines()[3])


def test_no_text_of_csv_is_a_formula() -> None:
    found = run_list([{"note": "=HYPERLINK(1)", "net": Decimal(-5), "side": "BUY"}], "-o", "csv").output

    assert "'=HYPERLINK(1),-5,BUY" == found.splitlines()[1]


def test_a_command_without_forms_advises_a_wider_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("Orders", ("id", "reason", "origin"), spare=("origin",))
    rows: list[dict[str, Any]] = [{"id": ORDER, "reason": LONG, "origin": "x" * 75}]

    with click.Context(click.Command("top")):
        assert "Not shown: origin (a wider terminal shows all)" in show(monkeypatch, table, rows, 80)


def test_a_watched_screen_says_how_many_lines_it_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def print_lines() -> None:
        click.echo("wide " * 30)  # two rows of the screen
        for number in range(8):
            click.echo(f"line {number}")
        if screen.getvalue().count("line 1"):
            raise KeyboardInterrupt

    screen = Screen()
    with monkeypatch.context() as patched, click.Context(click.Command("top")):
        patched.setattr(sys, "stdout", screen)
        patched.setenv("COLUMNS", "80")
        patched.setenv("LINES", "8")
        with pytest.raises(KeyboardInterrupt):
            watch(print_lines, 0.01)

    assert "line 3" in screen.getvalue()
    assert "line 4" not in screen.getvalue()
    assert "4 lines more: a higher terminal shows all" in screen.getvalue()


def test_a_drawn_table_is_the_one_that_a_pipe_gets(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("Addresses", ("name", "address"), spare=("address",))
    rows: list[dict[str, Any]] = [
        {"name": "state, logs", "address": "/home/a trader/" + "x" * 200},
        {"name": "receiver", "address": None},
    ]
    table.print(rows, empty="")

    assert capsys.readouterr().out == table.draw(rows) + "\n"
