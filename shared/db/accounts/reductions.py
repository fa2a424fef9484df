"""The reductions by the rule reduce_at: half of a position is closed once a trading day, by account and contract."""

from dataclasses import asdict, dataclass
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
    INSERT INTO reduction (account_id, contract_id, trading_day, target_position, correlation_id)
    VALUES (:account_id, :contract_id, :trading_day, :target_position, :correlation_id)
    ON CONFLICT (account_id, contract_id) DO UPDATE
    SET trading_day = excluded.trading_day, correlation_id = excluded.correlation_id, requested_at = now(),
        target_position = CASE
            WHEN reduction.trading_day = excluded.trading_day AND reduction.target_position * :held >= 0
            THEN reduction.target_position ELSE excluded.target_position END
    RETURNING target_position
""")


def list_made(connection: Connection, account_id: int, trading_day: date) -> set[str]:
    """Return the contracts that are reduced on that day or are being reduced, but those whose exit was rejected.

    The caller holds the lock of the account, so that no other watch reduces meanwhile.
    """
    values = {"account_id": account_id, "trading_day": trading_day}
    return set(connection.execute(_MADE, values).scalars())


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduction of what is held, below zero when short, to half of it."""

    account_id: int
    contract_id: str
    trading_day: date
    held: int
    correlation_id: UUID

    @property
    def target_position(self) -> int:
        """The position that it leaves, rounded toward flat."""
        return abs(self.held) // 2 * (1 if self.held > 0 else -1)


def record(connection: Connection, reduction: Reduction) -> int:
    """Record a reduction whose job the caller enqueues under its correlation id in the same transaction.

    Return the position that it leaves: that of the first one of the day, if this one repeats it.
    """
    values = asdict(reduction) | {"target_position": reduction.target_position}
    target: int = connection.execute(_RECORD, values).scalar_one()
    return target
