"""Our own dialect: one flat JSON object (docs/reference/alert-fields.md)."""

from shared.domain.alerts.dialects import text, tradingview
from shared.domain.alerts.dialects.action_words import ENTRIES, normalize_word
from shared.domain.alerts.dialects.contradictions import contradiction
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import is_exit
from shared.domain.alerts.payload import BODY, Json, RefusedAlertError, read_payload

_CLOSES = {"close", "exit", "flatten"}
_SIDES_OF_POSITION = {"long", "short"}
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
    _apply_side(payload)
    if "symbol" not in payload and (other := _dialect_of(raw)) is not None:
        hint = f"send symbol, such as MNQ, or give the hook the dialect {other}, which reads this body"
        raise RefusedAlertError("symbol is missing", field="symbol", hint=hint)
    return payload


def _apply_side(payload: dict[str, Json]) -> None:
    """Take `side` as the action where there is none, and as the side of the position that a close is for.

    Raise RefusedAlertError for an entry on the other side.
    """
    side = payload.get("side")
    if side is None:
        return
    if "action" not in payload:
        payload["action"] = payload.pop("side")
        return
    word, side_word = normalize_word(payload["action"]), normalize_word(side)
    if word in _CLOSES and side_word in _SIDES_OF_POSITION:
        payload["action"] = f"close_{side_word}"
    elif (
        word in ENTRIES and ENTRIES.get(side_word) != ENTRIES[word] and not is_exit(payload | {"action": ENTRIES[word]})
    ):
        raise contradiction("action", "action", payload["action"], "side", side)


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
