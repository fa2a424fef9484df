"""Lookup of the alert that a command names."""

import re

import click
from sqlalchemy import Connection

from shared.db.alerts import alert_history
from shared.db.alerts.alert_history import AlertRecord
from shared.errors import RefusedError

_SHORTEST_PREFIX = 6


class AlertIdType(click.ParamType[str]):
    """An alert's id or its first characters, as hexadecimal digits."""

    name = "alert id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the digits; fail when the value cannot begin an id."""
        digits = value.replace("-", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_PREFIX},32}}", digits):
            self.fail(
                f"invalid alert id {value!r}: expected an id, or at least its first {_SHORTEST_PREFIX} characters; "
                "`tickwork alerts list` lists the ids",
                param,
                ctx,
            )
        return digits


def find_alert(connection: Connection, digits: str) -> AlertRecord:
    """Return the only alert whose id begins with the digits; raise RefusedError."""
    found = alert_history.find_by_prefix(connection, digits)
    if not found:
        raise RefusedError(f"no alert id begins with {digits}: `tickwork alerts list` lists the ids")
    if len(found) > 1:
        raise RefusedError(f"alert id {digits} is ambiguous ({found[0].id}, {found[1].id}): give more characters")
    return found[0]
