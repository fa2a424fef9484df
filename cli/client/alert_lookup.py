"""Lookup of the alert that a command names."""

from sqlalchemy import Connection

from shared.db.alerts import alert_history
from shared.db.alerts.alert_history import AlertRecord
from shared.errors import RefusedError


def find_alert(connection: Connection, digits: str) -> AlertRecord:
    """Return the only alert whose id begins or ends with the digits; raise RefusedError."""
    found = alert_history.find_by_id_part(connection, digits)
    if not found:
        raise RefusedError(f"no alert id begins or ends with {digits}: `tickwork alerts list` lists the ids")
    if len(found) > 1:
        raise RefusedError(f"alert id {digits} is ambiguous ({found[0].id}, {found[1].id}): give more characters")
    return found[0]
