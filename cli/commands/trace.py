"""`tickwork trace`: every step from an alert, a person or a strategy to the proof of a stop, with its time."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.stack import connect
from cli.client.verdict_figures import describe_figures, name_figures
from cli.console.output import print_json
from cli.console.params import TracedIdType, json_option
from cli.console.table import Table
from shared.db import traces
from shared.db.traces import TracedCause, TracedKind, TraceStep
from shared.errors import RefusedError

STEPS = Table("Trace", ("time", "gap_ms", "step", "account", "what"), spare=("account",))
_JOB_DAYS = 14


@click.command(name="trace")
@click.argument("traced_id", metavar="ID", type=TracedIdType())
@click.option("--jobs", "has_jobs", is_flag=True, help="Also when each job was enqueued, started and ended.")
@json_option
def command(traced_id: str, *, has_jobs: bool, as_json: bool) -> None:
    """Show the way of an alert, an order or a job, step by step.

    ID is that of an alert, a job, a signal, an order or a fill, a correlation id, or the venue's number of an order.
    At least 8 of its first or last characters are enough.
    """
    with connect() as connection:
        found = _follow_reports(connection, _require_one(traces.find(connection, traced_id), traced_id))
        steps = traces.list_steps(connection, found)
    if not has_jobs:
        steps = [one for one in steps if not one.kind.startswith("job_") or one.kind in {"job_dead", "job_failed"}]
    rows = _to_rows(steps)
    if as_json:
        print_json({
            "kind": found.kind,
            "id": found.id,
            "correlation_id": found.correlation_id,
            "steps": rows,
        })  # fmt: skip
        return
    days = sorted({f"{one.at:%Y-%m-%d %Z}" for one in steps})
    form = "%H:%M:%S.%f" if len(days) < 2 else "%m-%d %H:%M:%S.%f"  # noqa: PLR2004  # two days
    STEPS.print(
        [
            row | {"time": f"{row['at']:{form}}"[:-3], "step": row["kind"].replace("_", " "), "what": _describe(one)}
            for row, one in zip(rows, steps, strict=True)
        ],
        empty=_describe_empty(found),
        title=f"Trace of {found.kind} {found.id}, {' to '.join(days[:1] + days[1:][-1:])}",
    )
    for line in _list_durations(steps):
        click.echo(line)


def _follow_reports(connection: Connection, found: TracedCause) -> TracedCause:
    """Return, for a job that has applied fills or changes of orders, the cause of these orders; raise RefusedError."""
    if found.kind is not TracedKind.JOB:
        return found
    causes = traces.list_applied_causes(connection, UUID(found.id))
    if len(causes) > 1:
        several = ", ".join(f"`tickwork trace {one}`" for one in causes)
        raise RefusedError(f"job {found.id} has applied reports on the orders of several causes: {several}")
    return replace(found, correlation_id=causes[0]) if causes else found


def _describe_empty(found: TracedCause) -> str:
    shown = f"`tickwork jobs show {found.id}` shows its result, and " if found.kind is TracedKind.JOB else ""
    return (
        f"Nothing is recorded of the {found.kind} {found.id} but itself; {shown}`--jobs` shows its jobs of the last "
        f"{_JOB_DAYS} days."
    )


def _require_one(found: list[TracedCause], traced_id: str) -> TracedCause:
    """Return the only cause found; raise RefusedError."""
    if not found:
        raise RefusedError(
            f"no alert, job, signal, order or fill has an id that begins or ends with {traced_id}: `tickwork alerts "
            "list`, `tickwork orders` and `tickwork jobs` list the ids; jobs are kept for 14 days"
        )
    if len(found) > 1:
        several = ", ".join(f"{one.kind} {one.id}" for one in found)
        raise RefusedError(f"id {traced_id} is ambiguous ({several}): give more characters")
    if found[0].correlation_id is None and found[0].kind is not TracedKind.ALERT:
        raise RefusedError(f"{found[0].kind} {found[0].id} was not made here, so nothing led to it: `tickwork orders`")
    return found[0]


def _to_rows(steps: list[TraceStep]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(steps):
        gap = (one.at - steps[number - 1].at).total_seconds() * 1000 if number else None
        rows.append({
            "at": one.at,
            "gap_ms": None if gap is None else round(gap, 1),
            "kind": one.kind,
            "account": one.account,
            "id": one.id,
            "text": one.text,
            "figures": name_figures(one.figures),
            "details": one.details,
        })  # fmt: skip
    return rows


def _describe(step: TraceStep) -> str:
    """Return the text of a step, with the figures of a verdict."""
    if step.figures is None:
        return step.text
    return f"{step.text}: {describe_figures(step.figures)}"


def _list_durations(steps: list[TraceStep]) -> list[str]:
    """Return how long it took from the first step to an order, its fill and a proven stop; of copies, to the last."""
    named = {"order_submitted": "sent", "fill": "filled", "stop_proven": "with a proven stop", "flat": "flat"}
    first: dict[str, dict[str | None, datetime]] = {}
    for one in steps:
        first.setdefault(one.kind, {}).setdefault(one.account, one.at)
    took = [
        f"{name} after {(max(first[kind].values()) - steps[0].at).total_seconds() * 1000:,.0f} ms"
        for kind, name in named.items()
        if kind in first
    ]
    return [f"Since the first step: {', '.join(took)}."] if took else []
