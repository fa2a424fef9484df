"""The report: an aligned table for the terminal, JSON for scripts, and one Markdown file."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from shared.clock import machine_now
from simulator.conformance.context import CheckContext
from simulator.conformance.results import CheckResult, CheckVerdict

_WIDTH = 200  # of a pipe, which has none


def clean_results(context: CheckContext, results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the results without anything that identifies the user."""
    return [replace(row, observed=context.redactor.clean(row.observed)) for row in results]


def print_results(results: Sequence[CheckResult]) -> None:
    """Print the table, with what differs at its end, where a terminal shows it."""
    console = Console(markup=False)
    table = Table(
        title="Gateway compared with the simulator", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in ("id", "question", "observed", "expected", "verdict"):
        table.add_column(column, no_wrap=column in {"id", "verdict"}, overflow="fold")
    last = {CheckVerdict.DIFFERS: 1}
    for row in sorted(results, key=lambda row: last.get(row.verdict, 0)):
        table.add_row(row.id, row.question, row.observed, row.expected, row.verdict.value)
    (console if console.is_terminal else Console(width=_WIDTH, markup=False)).print(table)
    sys.stdout.write(f"{summarize(results)}\n")


def print_json(results: Sequence[CheckResult]) -> None:
    """Print the rows as JSON."""
    document = {"summary": count_verdicts(results), "rows": [asdict(row) for row in results]}
    sys.stdout.write(f"{msgspec.json.format(msgspec.json.encode(document), indent=2).decode()}\n")


def count_verdicts(results: Sequence[CheckResult]) -> dict[str, int]:
    """Return how many rows have each verdict, and how many questions an error left open."""
    counts = Counter(row.verdict for row in results)
    return {verdict.value: counts[verdict] for verdict in CheckVerdict} | {
        "failed": sum(row.is_failed for row in results)
    }


def summarize(results: Sequence[CheckResult]) -> str:
    """Return the counts as one line."""
    return ", ".join(f"{count} {name}" for name, count in count_verdicts(results).items())


def make_markdown(context: CheckContext, results: Sequence[CheckResult]) -> str:
    """Return the report: what was compared, the whole table, and a redacted sample of each kind of message."""
    options = context.options
    lines = [
        "# Gateway report",
        "",
        f"- made on {machine_now():%Y-%m-%d %H:%M} UTC by `tickwork conformance`",
        f"- gateway: {options.url}, hubs: {options.hub_url}",
        f"- orders: {'asked, on a practice account' if options.has_orders else 'not asked'}",
        f"- request limits: {'asked' if options.has_rate_limits else 'not asked'}",
        f"- {context.rest.request_count} requests; {summarize(results)}",
        "",
        "Section numbers are those of docs/venue.md. Account ids and names, user names, tokens, tags and balances are",
        "replaced.",
        "",
        "| Id | Question | Observed | Expected | Verdict |",
        "|---|---|---|---|---|",
    ]
    for row in results:
        cells = (f"`{row.id}`", row.question, row.observed, row.expected, row.verdict.value)
        lines.append(f"| {' | '.join(map(_escape, cells))} |")
    lines += ["", "## Samples", ""]
    for kind, sample in context.samples.samples(context.redactor).items():
        lines += [f"### {kind}", "", "```json", sample, "```", ""]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
