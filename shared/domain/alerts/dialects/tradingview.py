"""TradingView's messages, pasted into its alerts: JSON with its own names, and its sentence of an order fill."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from shared.domain.alerts.dialects.action_words import CHANGES, ENTRIES, EXITS
from shared.domain.alerts.dialects.contradictions import plain_number
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import (
    POSITION_OF_ENTRY,
    Vocabulary,
    has_exit_word,
    is_exit,
    is_exit_or_cancel,
)
from shared.domain.alerts.fields import invalid_value
from shared.domain.alerts.market_position import is_flat
from shared.domain.alerts.payload import BODY, Json, RefusedAlertError, read_text

EXAMPLE = (
    '{"action": "{{strategy.order.action}}", "ticker": "{{ticker}}", "contracts": "{{strategy.order.contracts}}", '
    '"market_position": "{{strategy.market_position}}", "market_position_size": "{{strategy.market_position_size}}", '
    '"timenow": "{{timenow}}"}'
)
WORDS = Vocabulary(
    fields={  # with or without "strategy." and "order." before it, nested or not: strategy.order_action, order.sl
        "action": "action",
        "order.action": "action",
        "side": "action",
        "signal": "action",
        "symbol": "symbol",
        "ticker": "symbol",  # `exchange` is put before it, so NYSE and CL is not crude oil
        "instrument": "symbol",
        "quantity": "quantity",
        "qty": "quantity",
        "size": "quantity",
        "contracts": "quantity",
        "order.contracts": "quantity",
        "order.quantity": "quantity",
        "order.qty": "quantity",
        "order.size": "quantity",
        "market_position": "market_position",
        "market_position_size": "market_position_size",
        "prev_market_position": "prev_market_position",
        "position_size": "position_size",  # with its sign a position, if the message has none
        "id": "order_id",  # the name of Pine's order, which is the same for each entry: no id of an alert
        "order.id": "order_id",
        "order_id": "order_id",
        "order_type": "order_type",
        "limit_price": "limit_price",
        "stop_price": "stop_price",
        "stop_loss": "stop_loss",  # a price
        "sl": "stop_loss",
        "take_profit": "take_profit",  # a price
        "tp": "take_profit",
        "sl_ticks": "stop_loss_ticks",
        "tp_ticks": "take_profit_ticks",
        "time": "time",
        "timenow": "timenow",
        "order.time": "order_time",  # kept: it is no time of the alert
    },  # price, open, high, low, close, volume, interval, comment, alert_message and others are kept
    actions={
        **ENTRIES, "enter_long": "buy", "entry_long": "buy", "open_long": "buy", "long_entry": "buy", "go_long": "buy",
        "enter_short": "sell", "entry_short": "sell", "open_short": "sell", "short_entry": "sell", "go_short": "sell",
        **EXITS, **CHANGES,
    },
    refused={
        "sl_percent": "send stop_loss (a price) or stop_loss_ticks",
        "stop_loss_percent": "send stop_loss (a price) or stop_loss_ticks",
        "tp_percent": "send take_profit (a price) or take_profit_ticks",
        "take_profit_percent": "send take_profit (a price) or take_profit_ticks",
        "trailing_stop": "send stop_loss, and later alerts with the action trail",
        "trail_percent": "send stop_loss, and later alerts with the action trail",
    },
    prefixes=("strategy", "order"),
    example=EXAMPLE,
)  # fmt: skip
_SENTENCE = re.compile(
    r"\border (?P<action>buy|sell) @ (?P<contracts>[0-9][0-9.,]*) filled on (?P<ticker>[A-Z0-9_:!.]+?)\. "
    r"New strategy position is (?P<position>[-\u2212]?[0-9][0-9.,]*?)\.?\s*\Z"
)
_SENTENCE_EXAMPLE = "order buy @ 1 filled on MNQ1!. New strategy position is 1"
_SIGNED = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_EXCHANGE = re.compile(r"[A-Za-z_]{2,16}")


def _read(raw: bytes) -> dict[str, Json]:
    text = read_text(raw)
    if not text.lstrip().startswith(("{", "[", '"')):
        return _read_sentence(text)
    body = dict(_flatten(WORDS.read_json(raw)))
    payload = WORDS.rename(body)
    _set_position(payload)
    _put_exchange_before(payload)
    WORDS.require_honoured(body, payload)
    return payload


def _read_sentence(text: str) -> dict[str, Json]:
    """Return the order and the position in TradingView's default message of an order fill."""
    found = _SENTENCE.search(text)
    if found is None or text.count("New strategy position is") > 1:
        hint = f'expected a message such as {EXAMPLE}, or "{_SENTENCE_EXAMPLE}"'
        raise RefusedAlertError("the body is neither JSON nor the sentence of an order fill", field=BODY, hint=hint)
    payload = WORDS.rename(
        {"action": found["action"], "contracts": found["contracts"], "ticker": found["ticker"]}
        | {"position_size": found["position"].replace("\u2212", "-")}
    )
    _set_position(payload)
    return payload


def _flatten(body: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the fields of a body, those of the objects `strategy` and `order` in it under dotted names."""
    for name, value in body.items():
        if isinstance(value, dict) and name in {"strategy", "order"}:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _set_position(payload: dict[str, Json]) -> None:
    """Replace a signed position_size by a market position, unless the message has its size.

    Raise RefusedAlertError where it may be an order's size, and for an entry whose size is no number or contradicts
    the market position. It stays with an exit without a side, and with one that it contradicts: a part that cannot
    be read.
    """
    if is_flat(payload):
        return
    if payload.get("action", "buy") not in POSITION_OF_ENTRY and not has_exit_word(payload):
        return  # a change of orders, of which no position counts
    side = str(payload.get("market_position", "")).strip().lower()
    text = _to_text(payload.get("position_size")).removeprefix("+")
    is_contradiction = side == "long" and text.startswith("-")
    if has_exit_word(payload) and (side not in POSITION_OF_ENTRY.values() or is_contradiction):
        return
    size = payload.pop("position_size", None)
    if size is None or "market_position_size" in payload:
        return
    if "market_position" not in payload:
        payload["market_position"] = _read_side(payload, size, text)
    elif is_contradiction and not is_exit(payload):
        raise invalid_value("position_size", size, "it contradicts market_position: leave out one of them")
    payload["market_position_size"] = text.removeprefix("-")


def _read_side(payload: Mapping[str, Json], size: Json, text: str) -> str:
    """Return the side that the sign of a position says; raise RefusedAlertError for one that is no number."""
    if "quantity" not in payload:
        hint = "it may be an order or a position: send contracts, or market_position with market_position_size"
        raise invalid_value("position_size", size, hint)
    if not _SIGNED.fullmatch(text):
        hint = "expected the contracts of the position, negative for short and 0 for flat, or send market_position"
        raise invalid_value("position_size", size, hint)
    return "flat" if not Decimal(text) else "short" if text.startswith("-") else "long"


def _to_text(size: Json) -> str:
    number = plain_number(size)
    return f"{number:f}" if isinstance(number, Decimal) else str(number).strip()


def _put_exchange_before(payload: dict[str, Json]) -> None:
    """Put the exchange before the ticker, so that it is checked as a part of the symbol."""
    exchange, symbol = payload.get("exchange"), payload.get("symbol")
    if exchange is None or not isinstance(symbol, str) or ":" in symbol:
        return
    if isinstance(exchange, str) and _EXCHANGE.fullmatch(exchange.strip()):
        payload["symbol"] = f"{exchange.strip()}:{symbol.strip()}"
    elif not is_exit_or_cancel(payload):
        raise invalid_value("exchange", exchange, 'expected an exchange such as "CME_MINI", or leave it out')


DIALECT = Dialect(
    name="tradingview", summary="TradingView's own names, nested or not, and its sentence of an order fill", read=_read
)
