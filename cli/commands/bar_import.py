"""`tickwork bars import`: one-minute bars from files of other vendors, checked before they are stored."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cli.client.bar_imports import FileReport, ImportOptions, find_or_make_contract, import_file
from cli.client.bar_reads import open_recent_bars
from cli.client.stack import connect
from cli.console.output import print_json
from cli.console.params import SymbolType, json_option
from cli.console.table import Table
from shared.domain.counting import count_of
from shared.domain.market_data.bar_layout import parse_columns
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.foreign_bars import BarTimes
from shared.domain.market_data.symbol import Symbol

FILES = Table(
    "Files (market time, UTC)",
    ("file", "line_count", "new", "replaced", "unchanged", "repeated", "refused", "first", "newest"),
    spare=("repeated", "first", "newest", "unchanged"),
)
REFUSALS = Table("Refused", ("file", "count", "why", "line_number", "record"), spare=("record",))


class _ZoneType(click.ParamType[ZoneInfo]):
    """A time zone by its name."""

    name = "zone"
    expected = "a time zone, such as UTC, America/Chicago or Europe/Berlin"

    def convert(self, value: str | ZoneInfo, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """Return the zone; fail for an unknown name."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"invalid zone {value!r}: expected {self.expected}", param, ctx)


class _ColumnsType(click.ParamType[dict[str, str]]):
    """Columns by the fields of a bar."""

    name = "columns"
    expected = "fields with their columns, such as time=ts_event,volume=vol"

    def convert(
        self, value: str | dict[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        """Return the column of each field that is named; fail for an unknown field."""
        try:
            return value if isinstance(value, dict) else parse_columns(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--contract", "symbol", required=True, type=SymbolType(), help="Its month, as MGCG25.")
@click.option("--zone", type=_ZoneType(), help="The zone of times without an offset, as UTC or America/Chicago.")
@click.option(
    "--columns",
    type=_ColumnsType(),
    default="",
    metavar="FIELD=NAME,...",
    help="Columns that have no usual name; by numbers, as time=1, if the file has no heading.",
)
@click.option("--stamp", type=click.Choice(["start", "end"]), default="start", show_default=True,
              help="Whether a time is the start or the end of its minute.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Replace stored bars that differ; else they are refused.")
@click.option("--dry-run", is_flag=True, help="Check only, and store nothing.")
@json_option
def import_files(
    files: tuple[Path, ...],
    symbol: Symbol,
    zone: ZoneInfo | None,
    columns: dict[str, str],
    stamp: str,
    *,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import one-minute bars from CSV (also .gz) and parquet FILES; exit with status 1 if something was refused.

    Each line is checked: its price must be on the contract's ticks, within a session, and no other line or stored bar
    may contradict it. What fails is refused with its reason and the rest is stored, file by file. A month that the
    venue no longer offers is added; minutes without a bar stay gaps.
    """
    reports: list[FileReport] = []
    with connect() as connection, open_recent_bars(connection) as recent:
        contract = find_or_make_contract(connection, symbol)
        connection.rollback()
        options = ImportOptions(contract, BarTimes(zone, are_ends=stamp == "end"), columns, replace, dry_run)
        for number, file in enumerate(files, 1):
            report = import_file(connection, recent, file, options)
            reports.append(report)
            if not as_json:
                click.echo(f"[{number}/{len(files)}] {file.name}: {_summarize(report)}", err=True)
    if as_json:
        rows = [asdict(report) for report in reports]
        print_json({"contract": contract.id, "is_dry_run": dry_run, "files": rows})
    else:
        _print_reports(contract.id, reports, is_dry_run=dry_run)
    if any(report.error or report.refused for report in reports):
        raise click.exceptions.Exit(1)


def _summarize(report: FileReport) -> str:
    if report.error is not None:
        return f"refused: {report.error}"
    replaced = f", {report.replaced:,} replaced" if report.replaced else ""
    return f"{count_of(report.line_count, 'line')}, {report.new:,} new{replaced}, {report.refused_count:,} refused"


def _print_reports(contract_id: str, reports: list[FileReport], *, is_dry_run: bool) -> None:
    rows = [
        {**asdict(one), "file": Path(one.file).name, "refused": one.refused_count}
        for one in reports
        if one.error is None
    ]
    if rows:
        FILES.print(rows, empty="")
    refused = list(_list_refused(reports))
    if refused:
        REFUSALS.print(refused, empty="")
    new, replaced = (sum(getattr(one, name) for one in reports) for name in ("new", "replaced"))
    are, were = (
        "would be" if is_dry_run else verbs[0] if count == 1 else verbs[1]
        for count, verbs in ((new, ("is", "are")), (replaced, ("was", "were")))
    )
    click.echo(f"{shorten_contract(contract_id)}: {count_of(new, 'bar')} {are} new, {replaced:,} {were} replaced.")


def _list_refused(reports: list[FileReport]) -> Iterator[dict[str, Any]]:
    """Yield a row for each example, of which the first of its reason says how many there are."""
    for report in reports:
        name = Path(report.file).name
        if report.error is not None:
            yield {"file": name, "count": None, "why": report.error}
        for one in report.refused:
            for number, example in enumerate(one["examples"]):
                is_first = not number
                yield {
                    "file": name if is_first else "",
                    "count": one["count"] if is_first else None,
                    "why": one["message"] if is_first else "",
                    **example,
                }
