"""The reductions by the rule reduce_at: half of a position is closed once a trading day, by account and contract."""

from datetime import date
from uuid import UUID

from sqlalchemy import Connection, text

# Of a row of `reduction`: it is under way or made. A minute after the venue has rejected its exit, it no longer is.
IS_MADE = """coalesce((
    SELECT orders.state <> 'REJECTED' OR orders.updated_at > now() - interval '1 minute'
    FROM orders WHERE orders.correlation_id = reduction.correlation_id AND orders.contract_id = reduction.contract_id
    ORDER BY orders.created_at DESC, orders.id DESC LIMIT 1), true)"""

_MADE = text(
    f"""
    SELECT contract_id FROM reduction
    WHERE account_id = :account_id AND trading_day = :trading_day AND {IS_MADE}
"""  # noqa: S608  # no value enters the text
)
_RECORD = text("""
    INSERT INTO reduction (account_id, contract_id, trading_day, correlation_id)
    VALUES (:account_id, :contract_id, :trading_day, :correlation_id)
    ON CONFLICT (account_id, contract_id) DO UPDATE
    SET trading_day = excluded.trading_day, correlation_id = excluded.correlation_id, requested_at = now()
""")


def list_made(connection: Connection, account_id: int, trading_day: date) -> set[str]:
    """Return the contracts that are reduced on that day or are being reduced, but those whose exit was rejected.

    The caller holds the lock of the account, so that no other watch reduces meanwhile.
    """
    values = {"account_id": account_id, "trading_day": trading_day}
    return set(connection.execute(_MADE, values).scalars())


def record(connection: Connection, account_id: int, contract_id: str, trading_day: date, correlation_id: UUID) -> None:
    """Record a reduction whose job the caller enqueues under `correlation_id` in the same transaction."""
    values = {"account_id": account_id, "contract_id": contract_id, "trading_day": trading_day}
    connection.execute(_RECORD, values | {"correlation_id": correlation_id})
