"""Closes in flight: at most one per account and contract, so that no two closing orders can reverse a position."""

from datetime import timedelta

from sqlalchemy import Connection, bindparam, func, or_, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from shared.db.tables.orders import contract_close

FILLS_WITHIN = timedelta(seconds=0.5)  # an answered close has filled by then
ENDS_WITHIN = timedelta(seconds=15)  # a call without an answer by then has none: longer than any timeout of a request

_NEW = insert(contract_close).values(account_id=bindparam("account"), contract_id=bindparam("contract"))
_CLAIM = _NEW.on_conflict_do_update(
    index_elements=[contract_close.c.account_id, contract_close.c.contract_id],
    set_={"sent_at": func.clock_timestamp(), "answered_at": None},
    where=or_(
        contract_close.c.answered_at < func.clock_timestamp() - bindparam("fills", type_=INTERVAL),
        contract_close.c.sent_at < func.clock_timestamp() - bindparam("ends", type_=INTERVAL),
    ),
).returning(contract_close.c.account_id)
_RECORD_ANSWER = (
    update(contract_close)
    .where(contract_close.c.account_id == bindparam("account"), contract_close.c.contract_id == bindparam("contract"))
    .values(answered_at=func.clock_timestamp())
)


def claim(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Claim the close of a contract, which the caller commits before it sends it; False while another is in flight."""
    values = {"account": account_id, "contract": contract_id, "fills": FILLS_WITHIN, "ends": ENDS_WITHIN}
    return connection.execute(_CLAIM, values).first() is not None


def record_answer(connection: Connection, account_id: int, contract_id: str) -> None:
    """Record that the venue has answered the close, or that it was not sent."""
    connection.execute(_RECORD_ANSWER, {"account": account_id, "contract": contract_id})
