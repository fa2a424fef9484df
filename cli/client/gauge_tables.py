"""Gauges as tables: a row per computer, program, contract or budget, of a span of time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cli.console.table import Table

# The kinds of gauges that a section of `tickwork metrics` has.
KINDS: Mapping[str, tuple[str, ...]] = {
    "calls": ("budget",),
    "feed": ("feed",),
    "system": ("host", "program", "monitor"),
}
BUDGETS = Table("Requests left", ("budget", "count", "left_percent", "least_percent"))
AGES = Table("Age of prices", ("contract_id", "count", "mean_ms", "max_ms"))
HOSTS = Table(
    "Computers",
    ("host", "cpu_percent", "max_cpu_percent", "memory_percent", "max_memory_percent", "load_1m", "max_load_1m",
     "least_disk_free_mb"),
    spare=("max_load_1m", "max_memory_percent"),
)  # fmt: skip
PROGRAMS = Table(
    "Programs",
    ("program", "cpu_percent", "max_cpu_percent", "memory_mb", "max_memory_mb", "max_processes", "least_uptime_s"),
    spare=("max_processes",),
)
DELAYS = Table("Delay of the risk monitor", ("count", "mean_ms", "max_ms"))


def print_gauges(section: str, found: Sequence[Mapping[str, Any]], last: str) -> None:
    """Print the tables of a section; nothing of what was not recorded. `last` says of which time they are."""
    kinds: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in found:
        kinds[row["kind"]].append(row)
    for kind in KINDS[section]:
        if rows := kinds[kind]:
            table, title, shown = _draw(kind, rows)
            table.print(shown, empty="", title=f"{title}, {last}")


def _draw(kind: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Table, str, list[dict[str, Any]]]:
    match kind:
        case "budget":
            left = [_name(row, "budget", left_percent="mean", least_percent="min") for row in rows]
            return BUDGETS, "Venue requests that were left, of all that may be sent", left
        case "feed":
            ages = [_name(row, "contract_id", mean_ms="mean", max_ms="max") for row in rows]
            return AGES, "Age of the last price in open sessions, read each second", ages
        case "monitor":
            return (
                DELAYS,
                "Delay of the risk monitor's runs",
                [_name(row, "", mean_ms="mean", max_ms="max") for row in rows],
            )
        case "host":
            return HOSTS, "Computers, mean and most", _pivot(rows, "host")
        case _:
            return PROGRAMS, "Programs with their child processes, mean and most", _pivot(_shorten(rows), "program")


def _name(row: Mapping[str, Any], source: str, **columns: str) -> dict[str, Any]:
    return {source: row["source"], "count": row["count"]} | {name: row[of] for name, of in columns.items()}


def _pivot(rows: Sequence[Mapping[str, Any]], source: str) -> list[dict[str, Any]]:
    """Return a row per source with mean, `max_` and `least_` of each figure."""
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        name = row["name"]
        found[row["source"]] |= {name: row["mean"], f"max_{name}": row["max"], f"least_{name}": row["min"]}
    return [{source: one} | figures for one, figures in found.items()]


def _shorten(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave the computer out of the names of programs if there is only one."""
    hosts = {row["source"].partition("/")[0] for row in rows}
    return [{**row, "source": row["source"].partition("/")[2]} for row in rows] if len(hosts) == 1 else list(rows)
