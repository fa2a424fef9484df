"""The dialects of alerts, each in its own module: how the message of one kind of sender is read."""

from collections.abc import Mapping

from shared.domain.alerts.dialects import (
    origin_discord,
    origin_flat,
    origin_railway,
    pickmytrade,
    text,
    tickwork,
    traderspost,
    tradingview,
)
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.payload import BODY, Json, RefusedAlertError

DIALECTS: Mapping[str, Dialect] = {
    module.DIALECT.name: module.DIALECT
    for module in (
        tickwork, text, tradingview, traderspost, pickmytrade, origin_discord, origin_flat, origin_railway,
    )
}  # fmt: skip


def read_payload_in(dialect: str, raw: bytes) -> dict[str, Json]:
    """Return the body of a message in our own field names; raise RefusedAlertError."""
    found = DIALECTS.get(dialect)
    if found is None:
        raise RefusedAlertError(
            f"unknown dialect {dialect!r}", field=BODY, hint=f"expected one of {', '.join(sorted(DIALECTS))}"
        )
    return found.read(raw)
