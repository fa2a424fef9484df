"""The tags at the venue that are of orders of ours."""

from collections.abc import Collection

from sqlalchemy import ARRAY, Connection, Text, any_, bindparam, select

from shared.db.tables.orders import orders
from shared.domain.orders.order import Origin

# Built once: it runs for every execution report.
_OWN_TAGS = select(orders.c.client_order_id).where(
    orders.c.account_id == bindparam("account"),
    orders.c.client_order_id == any_(bindparam("tags", type_=ARRAY(Text))),
    orders.c.origin != Origin.EXTERNAL.value,
)


def list_own_tags(connection: Connection, account_id: int, tags: Collection[str]) -> set[str]:
    """Return those of the tags that are of orders of ours; external ones are not."""
    return set(connection.execute(_OWN_TAGS, {"account": account_id, "tags": list(tags)}).scalars())
