"""The Discord message of the first system's Pine script: an embed whose title is the signal, and fields with prices."""

import re
from collections.abc import Mapping

from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import Vocabulary, is_set
from shared.domain.alerts.field_names import plain_name
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name

EXAMPLE = (
    '{"embeds": [{"title": "[MNQ1!] Open long position", "fields": [{"name": "Entry", "value": "21500.25"}, '
    '{"name": "Stop", "value": "21480.25"}, {"name": "Target 1", "value": "21540.25"}]}]}'
)
WORDS = Vocabulary(fields={"embeds": "embeds"}, actions={}, example=EXAMPLE)
ENTRIES_BY_TITLE = {"open long": "buy", "open short": "sell"}  # the whole title, with or without "position"
EXITS_BY_TITLE = {  # a part of the title, first match wins -> our action; {} is the side in the title, if there is one
    "trim": None, "partial": None, "scale out": None,  # a part without a size: refused
    "session close": "close", "end of session": "close",
    "half": None,  # after a session close, which may be that of half a day
    "stop out": "close{}", "stopped out": "close{}", "stop hit": "close{}",
    "target 1": None,  # before close and exit: "Target 1 hit, close"
    "target 2": "close{}", "target 3": "close{}",
    "close": "close{}", "exit": "close{}", "flatten": "close{}",
}  # fmt: skip
PRICES_OF_ENTRY = {  # a part of the field's name, first match wins -> our field; target 2 and 3 are kept
    "entry": "stop_price",  # the first system entered by a stop order at this price
    "stop": "stop_loss",
    "target 1": "take_profit", "tp1": "take_profit",
}  # fmt: skip
QUANTITY = 1  # an embed has none: the hook's size multiplies or replaces it

_TITLE = re.compile(r"\[(?P<symbol>[^\[\]]{1,32})\](?P<signal>.{1,200})", re.DOTALL)
_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
_TARGET = re.compile(r"\b(?:tp|target|take profit) ?#?(?=[0-9])")
_CLOSE = r"(?<!session )\b(?:clos|exit|flat)[a-z]*"
_FRACTION = r"(?:1/[2-9]|2/3|3/4)"
_PART = re.compile(
    "|".join((
        r"\b[0-9.]+ ?(?:contracts?|lots?)\b",
        rf"{_CLOSE} (?!100(?:\.0+)? ?%)[0-9.]+ ?%",  # not of a profit
        rf"{_CLOSE} [0-9]{{1,3}}(?: of\b| long\b| short\b|$)",
        rf"{_CLOSE} {_FRACTION}(?![0-9/])",
        rf"\b{_FRACTION} (?:closed?|off|exit|out)\b",
        r"\b(?:a|one|two|three) (?:third|quarter)s?\b",
    ))
)  # fmt: skip
_SIZES = {"quantity", "qty", "contracts", "size"}  # names of fields that an embed of the first system never has
_SIDE = re.compile(r"\b(long|short)\b")


def _read(raw: bytes) -> dict[str, Json]:
    body = WORDS.read_json(raw)
    embed = _require_embed(body)
    title = embed.get("title")
    found = _TITLE.fullmatch(title.strip()) if isinstance(title, str) else None
    signal = "" if found is None else re.sub(r"[\s_]+", " ", found["signal"].lower()).strip()
    if found is None or not signal:
        raise _invalid("title", title)
    payload: dict[str, Json] = {"symbol": found["symbol"].strip(), "title": title, "embed": embed}
    entry = ENTRIES_BY_TITLE.get(signal.removesuffix("position").strip(" !."))
    if entry is not None:
        return payload | {"action": entry, "quantity": QUANTITY} | _read_prices(embed)
    _refuse_part(signal, title, embed)
    return payload | {"action": _read_exit(_TARGET.sub("target ", signal), title)}


def _require_embed(body: Mapping[str, Json]) -> dict[str, Json]:
    embeds = body.get("embeds")
    if not isinstance(embeds, list) or len(embeds) != 1 or not isinstance(embeds[0], dict):
        raise _invalid("embeds", embeds)
    return embeds[0]


def _refuse_part(signal: str, title: Json, embed: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an exit with a size, in its title or its fields: it would close all."""
    hint = "an exit of this dialect closes all: leave the size out, or give the hook another dialect and send quantity"
    if _PART.search(signal):
        raise RefusedAlertError(f"title {quote_value(title)} cannot be honoured", field="title", hint=hint)
    fields = embed.get("fields")
    for field in fields if isinstance(fields, list) else ():
        name, value = (field.get("name"), field.get("value")) if isinstance(field, dict) else (None, None)
        if isinstance(name, str) and plain_name(name) in _SIZES and is_set(value):
            wrong = f"{show_name(name)} {quote_value(value)} of an exit cannot be honoured"
            raise RefusedAlertError(wrong, field=show_name(name), hint=hint)


def _read_exit(signal: str, title: Json) -> str:
    """Return the action of a title that is no entry; a side is closed only if the title names one side."""
    words = next((words for words in EXITS_BY_TITLE if words in signal), None)
    if words is None:
        raise _invalid("title", title)
    action = EXITS_BY_TITLE[words]
    if action is None:
        hint = "a trim has no size: the target of the entry closes the position at target 1, so leave this alert out"
        raise RefusedAlertError(f"title {quote_value(title)} cannot be honoured", field="title", hint=hint)
    sides = {*_SIDE.findall(signal)}
    return action.format(f"_{sides.pop()}" if len(sides) == 1 else "")


def _read_prices(embed: Mapping[str, Json]) -> dict[str, Json]:
    """Return the prices of an entry; raise RefusedAlertError for a field without exactly one number, or given twice."""
    prices: dict[str, Json] = {}
    fields = embed.get("fields", [])
    if not isinstance(fields, list):
        raise _invalid("fields", fields)
    for field in fields:
        name, value = (field.get("name"), field.get("value")) if isinstance(field, dict) else (None, None)
        ours = _price_of(name)
        if ours is None:
            continue
        numbers = _NUMBER.findall(str(value))
        if len(numbers) != 1 or ours in prices or "-" in str(value):
            raise _invalid(show_name(str(name)), value)
        prices[ours] = numbers[0].replace(",", "")
    if "stop_price" in prices:
        prices["order_type"] = "stop"
    return prices


def _price_of(name: Json) -> str | None:
    plain = name.lower() if isinstance(name, str) else ""
    return next((ours for words, ours in PRICES_OF_ENTRY.items() if words in plain), None)


def _invalid(field: str, value: Json) -> RefusedAlertError:
    wrong = f"invalid {field} {quote_value(value)}"
    return RefusedAlertError(wrong, field=field, hint=f"expected a message such as {EXAMPLE}")


DIALECT = Dialect(name="origin-discord", summary="the Discord embed of the first system's Pine script", read=_read)
