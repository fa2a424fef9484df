"""The signals of TradersPost: ticker, action and sentiment, where a buy is a position and not an order."""

from collections.abc import Mapping

from shared.domain.alerts.dialects.action_words import ENTRIES, EXITS
from shared.domain.alerts.dialects.contradictions import plain_number
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import (
    POSITION_OF_ENTRY,
    Vocabulary,
    has_exit_word,
    is_set,
    set_position,
    to_ticks,
)
from shared.domain.alerts.entry_order import parse_order_type
from shared.domain.alerts.field_names import plain_name
from shared.domain.alerts.fields import invalid_value, missing_field, read_instant
from shared.domain.alerts.market_position import is_flat
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name
from shared.domain.orders.order import OrderType

EXAMPLE = (
    '{"ticker": "MNQ1!", "action": "buy", "sentiment": "bullish", "quantity": 1, '
    '"stopLoss": {"type": "stop", "stopPrice": 21480.25}}'
)
WORDS = Vocabulary(
    fields={
        "ticker": "symbol",
        "action": "action",
        "sentiment": "market_position",
        "quantity": "quantity",
        "orderType": "order_type",
        "limitPrice": "limit_price",
        "stopPrice": "stop_price",
        "stopLoss": "stop_loss",  # an object, see _STOP
        "takeProfit": "take_profit",  # an object, see _TARGET
        "time": "time",  # TradersPost documents {{timenow}} in it, see _apply_time
        "timenow": "timenow",
        "quantityType": "quantityType",  # fixed_quantity
        "timeInForce": "timeInForce",  # day or gtc
        "trailAmount": "trailAmount",  # of an exit with orderType trailing_stop
        "cancelAfter": "cancelAfter",  # of an entry that rests
        "breakevenOffset": "breakevenOffset",  # of a breakeven
    },  # price, signalPrice, interval, extras and others are kept
    actions={
        **ENTRIES,  # be long, or short, by the quantity: the other side is closed first
        "cancel": "cancel",
        "breakeven": "breakeven",
        **EXITS,
    },
    refused_actions={
        "add": "an add needs an open position: send buy or sell with the size that the position shall have",
        "reverse": "send buy or sell with the size that the position shall have: the other side is closed first",
    },
    refused={
        "trailAmount": "send stopLoss.stopPrice, or an exit with orderType trailing_stop once the position is open",
        "trailPercent": "send stopLoss.stopPrice",
        "delay": "leave it out: an alert trades at once",
        "optionType": "only futures are traded",
        "intrinsicValue": "only futures are traded",
        "strikePrice": "only futures are traded",
        "strikeCount": "only futures are traded",
        "strikesAway": "only futures are traded",
    },
    example=EXAMPLE,
)
_POSITIONS = {"bullish": "long", "long": "long", "bearish": "short", "short": "short", "flat": "flat"}
_SIDED_EXITS = {  # an action against its sentiment closes one side and opens nothing
    ("buy", "flat"): "close_short", ("sell", "flat"): "close_long",
    ("buy", "short"): "close_short", ("sell", "long"): "close_long",
}  # fmt: skip
_CHANGES = {"cancel", "breakeven"}  # of which no sentiment counts
_ORDER_TYPES = {"market", "limit", "stop"}
_TIMES_IN_FORCE = {"day", "gtc"}
_STOP = {"stopPrice": "stop_loss", "amount": "stop_loss_ticks"}
_TARGET = {"limitPrice": "take_profit", "price": "take_profit", "amount": "take_profit_ticks"}


def _read(raw: bytes) -> dict[str, Json]:
    body = WORDS.read_json(raw)
    payload = WORDS.rename(body)
    _apply_time(payload)
    _apply_sentiment(payload)
    if has_exit_word(payload):
        return _to_exit(payload)
    WORDS.require_honoured(body, payload)
    _refuse_offset(payload)
    if payload.get("action") not in POSITION_OF_ENTRY:
        return payload
    _require_fixed_quantity(payload)
    _require_order(payload)
    for name, ours, table in (("stopLoss", "stop_loss", _STOP), ("takeProfit", "take_profit", _TARGET)):
        if plain_name(name) in {plain_name(key) for key in body if key != ours}:
            _expand(payload, name, ours, table)
    set_position(payload)
    return payload


def _apply_time(payload: dict[str, Json]) -> None:
    """Take an instant in `time` as the one at which the signal was sent, unless `timenow` says it.

    A bar's start, {{time}}, cannot be told from it: then the hook needs a longer `max_age_s`.
    """
    time = payload.get("time")
    if "timenow" not in payload and isinstance(time, str | int) and read_instant(str(time)) is not None:
        payload["timenow"] = payload.pop("time")


def _apply_sentiment(payload: dict[str, Json]) -> None:
    """Turn an action against its sentiment into an exit of one side; only a flat one stays in the payload."""
    is_all = is_flat(payload)
    sentiment = payload.pop("market_position", None)
    if sentiment is None and not is_all:
        return
    position = "flat" if is_all else _POSITIONS.get(sentiment.strip().lower()) if isinstance(sentiment, str) else None
    word = str(payload.get("action", "")).strip().lower()
    action = WORDS.actions.get(word, word)  # with a flat sentiment it is still the sender's
    if position is None and action in POSITION_OF_ENTRY:
        raise invalid_value("sentiment", sentiment, f"expected one of {', '.join(_POSITIONS)}")
    exit_of_side = _SIDED_EXITS.get((action, str(position)))
    if action in _CHANGES:
        payload["action"] = action
    elif position == "flat":
        payload["action"] = exit_of_side or "close"
        payload["market_position"] = "flat"  # it closes all, whatever the quantity
        payload.pop("quantity", None)
    elif exit_of_side is not None:
        payload |= {"action": exit_of_side, "market_position": position}


def _to_exit(payload: dict[str, Json]) -> dict[str, Json]:
    """Return an exit: at the market, but for a trailing stop and a stop, which move the stop of the position.

    A flat sentiment closes whatever the type of the order.
    """
    if is_flat(payload):
        return payload
    order_type = str(payload.get("order_type", "")).strip().lower()
    is_stop = order_type == "stop" and "stop_price" in payload
    if (is_stop or order_type == "trailing_stop") and is_set(payload.get("quantity")):
        hint = "leave it out: the stop is of the whole position"
        raise RefusedAlertError(
            f"quantity {quote_value(payload['quantity'])} with orderType {order_type}", field="quantity", hint=hint
        )
    if order_type == "trailing_stop":
        amount = payload.get("trailAmount")
        if amount is None:
            hint = 'expected "trailAmount", a distance in prices: a percentage cannot be honoured'
            raise invalid_value("orderType", payload["order_type"], hint)
        return payload | {"action": "trail", "trail_ticks": to_ticks(payload, amount, "trailAmount")}
    if is_stop:
        return payload | {"action": "move_stop", "stop_loss": payload["stop_price"]}
    if str(payload.get("quantityType", "")).strip().lower() == "percent_of_position" and _is_all(payload):
        payload.pop("quantity")
    if "quantity" in payload:
        _require_fixed_quantity(payload)
    return payload


def _is_all(payload: Mapping[str, Json]) -> bool:
    return str(payload.get("quantity")).strip() in {"100", "100.0"}


def _require_fixed_quantity(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for a quantity that is not a number of contracts."""
    kind = payload.get("quantityType")
    if kind is not None and kind != "fixed_quantity":
        hint = "send the contracts as quantity, or give the hook a size in contracts"
        raise RefusedAlertError(f"quantityType {quote_value(kind)} cannot be honoured", field="quantityType", hint=hint)


def _require_order(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an order type, or a time in force, that we do not have."""
    kind = payload.get("order_type")
    if isinstance(kind, str) and kind.strip().lower() not in _ORDER_TYPES:
        hint = f"expected one of {', '.join(sorted(_ORDER_TYPES))}"
        raise RefusedAlertError(f"orderType {quote_value(kind)} cannot be honoured", field="orderType", hint=hint)
    force = payload.get("timeInForce")
    if isinstance(force, str) and force.strip().lower() not in _TIMES_IN_FORCE:
        hint = f"expected one of {', '.join(sorted(_TIMES_IN_FORCE))}, or leave it out"
        raise RefusedAlertError(f"timeInForce {quote_value(force)} cannot be honoured", field="timeInForce", hint=hint)

    if is_set(payload.get("cancelAfter")) and parse_order_type(payload) is not OrderType.MARKET:
        wrong = f"cancelAfter {quote_value(payload['cancelAfter'])} cannot be honoured"
        hint = "leave it out, and send the action cancel to cancel the order"
        raise RefusedAlertError(wrong, field="cancelAfter", hint=hint)


def _refuse_offset(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for a breakeven away from the average price."""
    if payload.get("action") == "breakeven" and is_set(payload.get("breakevenOffset")):
        wrong = f"breakevenOffset {quote_value(payload['breakevenOffset'])} cannot be honoured"
        hint = "leave it out to move the stop to the average price, or send an exit with orderType stop and stopPrice"
        raise RefusedAlertError(wrong, field="breakevenOffset", hint=hint)


def _expand(payload: dict[str, Json], name: str, ours: str, table: Mapping[str, str]) -> None:
    """Replace the object of a stop or a target by our fields; raise RefusedAlertError for what it cannot become."""
    leg = payload.pop(ours, None)
    if not isinstance(leg, dict):
        if is_set(leg):
            raise invalid_value(name, leg, f'expected an object such as {{"{next(iter(table))}": 21480.25}}')
        return
    known = {plain_name(key): (key, field) for key, field in table.items()}
    kind = leg.get("type")
    if is_set(kind) and kind != "stop":
        hint = "expected the type stop; once the position is open, an exit with orderType trailing_stop trails it"
        raise RefusedAlertError(f"{name}.type {quote_value(kind)} cannot be honoured", field=f"{name}.type", hint=hint)
    if leg and not any(is_set(value) for key, value in leg.items() if plain_name(key) != "type"):
        raise missing_field(f"{name}.{next(iter(table))}", f"expected {' or '.join(table)} in {name}, or no {name}")
    for key, value in leg.items():
        if not is_set(value) or plain_name(key) == "type":
            continue
        if plain_name(key) not in known:
            wrong = f"{name}.{show_name(key)} {quote_value(value)} cannot be honoured"
            hint = f"expected {' or '.join(table)} in {name}"
            raise RefusedAlertError(wrong, field=f"{name}.{show_name(key)}", hint=hint)
        key_name, field = known[plain_name(key)]
        is_distance = key_name == "amount"
        if field in payload:
            raise RefusedAlertError(f"two values of {field}", field=name, hint=f"send one of {' or '.join(table)}")
        payload[field] = to_ticks(payload, value, f"{name}.amount") if is_distance else plain_number(value)


DIALECT = Dialect(name="traderspost", summary="the signals of TradersPost", read=_read, enters_positions=True)
