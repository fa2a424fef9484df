"""Our own dialect: one flat JSON object (docs/reference/alert-fields.md)."""

from shared.domain.alerts.dialects import text, tradingview
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.payload import BODY, Json, RefusedAlertError, read_payload

_OTHERS = (text.DIALECT, tradingview.DIALECT)  # that may read a body which is no JSON


def _read(raw: bytes) -> dict[str, Json]:
    try:
        payload = read_payload(raw)
    except RefusedAlertError as error:
        other = _dialect_of(raw) if error.field == BODY else None
        if other is None:
            raise
        hint = f"{error.hint}; or give the hook the dialect {other}, which reads this body"
        raise RefusedAlertError(error.wrong, field=BODY, hint=hint) from None
    if "action" not in payload and "side" in payload:
        payload["action"] = payload.pop("side")
    return payload


def _dialect_of(raw: bytes) -> str | None:
    """Return the name of the other dialect that reads a body, if there is one."""
    for dialect in _OTHERS:
        try:
            dialect.read(raw)
        except RefusedAlertError:
            continue
        return dialect.name
    return None


DIALECT = Dialect(name="tickwork", summary="one flat JSON object with our own fields", read=_read)
