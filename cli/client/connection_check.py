"""The check of `tickwork doctor` that Postgres allows the connections of every slot."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import load_stack_settings
from shared.db.upkeep.connection_limit import count_needed_connections, read_connection_limit
from shared.fleets import count_slots


def check_connections(connection: Connection) -> str:
    """Return what is allowed and needed; raise CheckWarningError if that is more than allowed."""
    slots = count_slots(load_stack_settings().slots)
    needed, allowed = count_needed_connections(slots), read_connection_limit(connection)
    found = f"Postgres allows {allowed} connections, {slots} slots need {needed}"
    if needed > allowed:
        raise CheckWarningError(
            f"{found}: raise its max_connections, or set fewer slots with TICKWORK_SLOTS or `up --slots`; jobs fail, "
            "and commands find no connection, while all are taken"
        )
    return found
