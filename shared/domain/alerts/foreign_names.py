"""Names of other senders that say another order than a market entry.

An entry with one is refused, as it is not read; one that is marked as an exit is an exit.

Names that only tell something, such as price, close, comment or interval, are in no table here.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from shared.domain.alerts.dialects.vocabulary import is_set
from shared.domain.alerts.field_names import FIELDS, plain_name
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name

_STOP = "send stop_loss (a price) or stop_loss_ticks"
_TARGET = "send take_profit (a price) or take_profit_ticks"
_TRAIL = "send trail_ticks, the distance of the stop from the best price in ticks"
_TYPE = "send order_type with limit_price or stop_price"
_UNITS = ("price", "ticks", "points", "pips", "percent", "pct", "distance", "offset")


def _with_units(hint: str, *names: str) -> dict[str, str]:
    """Return the names, each also with a unit after it, and the hint of all."""
    return dict.fromkeys([*names, *(name + unit for name in names for unit in _UNITS)], hint)


# By plain names: without case and signs. Ours are not looked up.
_ORDERS: Mapping[str, str] = {
    **_with_units(_STOP, "stop", "sl", "stoploss", "initialstop", "hardstop", "protectivestop"),
    **_with_units(_TARGET, "target", "tp", "takeprofit", "profittarget", "tp1", "tp2", "tp3", "target1", "target2"),
    **_with_units(_TRAIL, "trail", "trailing", "trailingstop", "trailstop", "trailingstoploss"),
    **dict.fromkeys(["lossticks", "losspoints"], _STOP),
    **dict.fromkeys(["profitticks", "profitpoints"], _TARGET),
    **dict.fromkeys(["trailactivation", "trailtrigger"], _TRAIL),
    **dict.fromkeys(["limit", "lmt", "lmtprice", "limitprice"], "send limit_price, the price of a limit entry"),
    "stopprice": "send stop_price, the price of a stop entry, beside the other fields",
    **dict.fromkeys(
        ["breakeventicks", "breakevenpoints", "breakevenprice", "breakeventrigger", "movetobreakeven"],
        "send an alert with the action breakeven once the stop is to move",
    ),
}
_KIND_NAMES = frozenset({"type", "order", "kind", "orderkind", "ordertype"})
_TYPE_NAMES = _KIND_NAMES | {"entrytype", "executiontype", "entryordertype"}
_OTHER_TYPES = frozenset({
    "limit", "lmt", "stop", "stp", "stoplimit", "stopmarket", "stoploss", "takeprofit", "trailing", "trailingstop",
    "trailstop", "mit", "lit", "marketiftouched", "limitiftouched", "joinbid", "joinask", "bracket", "oco",
})  # fmt: skip
_EXITS = frozenset({
    "reduceonly", "closeonly", "exitonly", "reduce", "closeposition", "closepositions", "closeall", "closetrade",
    "exit", "isexit", "isclose", "exitposition", "exittrade", "flatten", "flattenposition", "goflat", "close", "flat",
})  # fmt: skip
_INTENT_NAMES = frozenset({"intent", "positioneffect", "effect", "openclose", "closeopen", "ordereffect"})
_EXIT_WORDS = ("clos", "exit", "reduce", "flat", "cover")
_EXIT_TYPES = frozenset({"close", "exit", "flat", "flatten", "reduce", "closeposition", "closelong", "closeshort"}) | {
    "exitlong", "exitshort",
}  # fmt: skip
# What the chart holds after the order: flat, it must not open.
_TARGET_NAMES = frozenset({"targetposition", "targetpositionsize", "newposition", "newpositionsize", "marketposition"})
_SIZE_NAMES = _TARGET_NAMES | {"strategypositionsize", "marketpositionsize"}
_POSITION_NAMES = _SIZE_NAMES | {"position", "sentiment", "marketpos", "positiontype", "positionstate"}
_OWN_POSITION = "market_position"
_POSITION = "send market_position (long, short or flat) with market_position_size"
_PREFIXES = ("strategy", "order")  # of the nested objects of TradingView's messages
_YES = frozenset({"true", "yes", "on", "1"})


def is_marked_as_exit(payload: Mapping[str, Json]) -> bool:
    """Whether a field says that a sale or a purchase only closes: it must never open, and nothing may stop it."""
    return any(
        (plain in _EXITS and _is_yes(value))
        or (plain in _INTENT_NAMES and word.startswith(_EXIT_WORDS))
        or (plain in _KIND_NAMES and word in _EXIT_TYPES)
        or (plain in _POSITION_NAMES and word.startswith("flat"))
        or (plain in _SIZE_NAMES and _is_zero(value))
        for _, plain, word, value in _list_foreign(payload)
    )


def refuse_foreign_names(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an entry with a field that says another order, with the field to send instead.

    While flat it would be a market entry, without what the sender meant.
    """
    for name, plain, word, value in _list_foreign(payload):
        if plain in _TYPE_NAMES and word in _OTHER_TYPES:
            _refuse(f"{show_name(name)} {quote_value(value)} is not read", name, _TYPE)
        if plain in _TARGET_NAMES and not is_set(payload.get(_OWN_POSITION)):
            _refuse(f"{show_name(name)} {quote_value(value)} is not read", name, _POSITION)
        if plain in _ORDERS and (_is_yes(value) or _is_number(value)):
            _refuse(f"{show_name(name)} {quote_value(value)} is not read", name, _ORDERS[plain])


def _list_foreign(payload: Mapping[str, Json]) -> Iterator[tuple[str, str, str, Json]]:
    """Yield each field that is not ours and says something: its name, that plain, its word if it is text, its value.

    Those of the objects `strategy` and `order` are not ours, whatever their names: a dialect has read what it reads.
    """
    for name, value in _flatten(payload):
        plain = _strip(plain_name(name))
        if name not in FIELDS and (is_set(value) or (plain in _SIZE_NAMES and _is_zero(value))):
            yield name, plain, plain_name(value) if isinstance(value, str) else "", value


def _flatten(payload: Mapping[str, Json], before: str = "") -> Iterator[tuple[str, Json]]:
    for name, value in payload.items():
        if isinstance(value, dict) and plain_name(name) in _PREFIXES:
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _is_yes(value: Json) -> bool:
    return value is True or (isinstance(value, str | int) and str(value).strip().lower() in _YES)


def _is_zero(value: Json) -> bool:
    return _is_number(value) and not isinstance(value, bool) and Decimal(str(value).strip().removesuffix("%")) == 0


def _is_number(value: Json) -> bool:
    """Whether a value is a finite number, or text that is one, with or without a unit of per cent."""
    try:
        return Decimal(str(value).strip().removesuffix("%")).is_finite()
    except InvalidOperation:
        return False


def _strip(plain: str) -> str:
    """Return a plain name without the prefixes of nested objects, unless it is in a table with them."""
    for prefix in _PREFIXES:
        if plain not in _TYPE_NAMES | _INTENT_NAMES | _POSITION_NAMES:
            plain = plain.removeprefix(prefix)
    return plain


def _refuse(wrong: str, name: str, hint: str) -> NoReturn:
    raise RefusedAlertError(wrong, field=show_name(name), hint=hint)
