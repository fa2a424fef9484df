"""An alert's body as a command shows it: what it asks for in its dialect, how its hook trades it, or the refusal."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cli.console.escape import escape_text
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError

_ONLY_OF_ENTRIES = {"type"}
_INTERNAL = {"is_storable"}
_SHOWN_FIRST = {"action", "symbol"}


@dataclass(frozen=True, slots=True)
class AlertReading:
    """The alert in a body as it was sent and as its hook trades it, or the problem with which it is refused."""

    alert: Alert | None
    traded: Alert | None
    problem: dict[str, str] | None  # `problem`, `field` and `hint`


def read_body(raw: bytes, dialect: str, settings: HookSettings | None = None) -> AlertReading:
    """Return the reading of a body in a dialect, traded with the settings of a hook."""
    alert = None
    try:
        alert = parse_alert(raw, dialect)
        return AlertReading(alert, apply_settings(alert, settings or HookSettings()), None)
    except RefusedAlertError as error:
        return AlertReading(alert, None, describe_problem(error.wrong, error.field, error.hint))


def describe_problem(wrong: str, field: str, hint: str) -> dict[str, str]:
    """Return a refusal in the form in which commands print it."""
    return {"problem": wrong, "field": field, "hint": hint}


def list_fields(alert: Alert) -> dict[str, Any]:
    """Return the fields that an alert has, by name."""
    names = [name for name in Alert.__dataclass_fields__ if name not in _INTERNAL]
    if not alert.action.is_entry:
        names = [name for name in names if name not in _ONLY_OF_ENTRIES]
    found = {name: getattr(alert, name) for name in names if name not in _SHOWN_FIRST}
    first = {"action": alert.action, "symbol": alert.symbol.text, "root": alert.root.name}
    return first | {name: value for name, value in found.items() if value is not None and value != {}}


def describe_request(alert: Alert) -> str:
    """Return what an alert asks for in a few words: `BUY 1 MNQ`, `CLOSE MNQ`, `BUY MNQ to a position of +2`."""
    root, month = alert.root.name, f" ({alert.symbol.month}{alert.symbol.year})" if alert.symbol.month else ""
    if alert.target_position is not None:
        wanted = f"a position of {alert.target_position:+}" if alert.target_position else "flat"
        return f"{alert.action} {root}{month} to {wanted}"
    size = "" if alert.quantity is None else f" {alert.quantity}"
    return f"{alert.action}{size} {root}{month}"


def escape_body(raw: bytes) -> str:
    """Return a body as text that a terminal can print: bytes that are not UTF-8 and control characters are escaped."""
    return escape_text(raw.decode(errors="backslashreplace"))


def format_field(value: object) -> str:
    """Return the value of a field as a line of text."""
    if isinstance(value, dict):
        return ", ".join(f"{escape_text(name)}: {format_field(one)}" for name, one in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(format_field, value))}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return escape_text(str(value)).replace("\n", "\\n")
