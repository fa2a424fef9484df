"""Checks of the market hub: what quotes, trades and depth have on the wire (venue.md sections 7.3, 7.6)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from simulator.conformance.context import CheckContext, Row
from simulator.conformance.hub_client import GatewayHub, describe_completion
from simulator.conformance.results import CheckResult, Question, asks
from simulator.conformance.schema_check import find_differences
from simulator.conformance.stream_models import DepthEntry, QuoteMessage, TradeEntry

_QUOTE, _TRADE, _DEPTH = "GatewayQuote", "GatewayTrade", "GatewayDepth"
_METHODS = ("Quotes", "Trades", "MarketDepth")
_PRICES = {"lastPrice", "bestBid", "bestAsk", "open", "high", "low", "change"}
_FULL = {"symbol", "lastPrice", "bestBid", "bestAsk", "change", "open", "high", "low", "volume", "timestamp"}
_RESET = 6

SUBSCRIBE = Question("s7.subscribe_market", "Are the subscriptions of the market hub completed? (7.3)", "completed")
UNKNOWN = Question(
    "s7.unknown_contract", "What does a subscription of an unknown contract get? (7.3)", "error 'Contract not found.'"
)
ARGUMENTS = Question(
    "s7.market_arguments", "What are the arguments of market events? (7.3)", "the contract id and the payload"
)
QUOTE_FIELDS = Question("s7.quote_fields", "Have quotes the documented fields? (7.3, 7.6)", "as documented")
QUOTE_SYMBOL = Question("s7.quote_symbol", "How many quotes have no symbol? (7.6)", "none")
QUOTE_PRICE = Question("s7.quote_price", "How many quotes have no price? (7.6)", "none")
FIRST_QUOTE = Question("s7.first_quote", "Is the first quote complete? (7.3)", "yes")
TRADE_FIELDS = Question("s7.trade_fields", "Have trades the documented fields? (7.3, 7.6)", "as documented")
TRADE_FORM = Question("s7.trade_form", "Do trades come as arrays or as objects? (7.3)", "array")
DEPTH_FIELDS = Question("s7.depth_fields", "Have depth entries the documented fields? (7.3)", "as documented")
DEPTH_FORM = Question("s7.depth_form", "Do depth entries come as arrays or as objects? (7.3)", "array")
DEPTH_TYPES = Question("s7.depth_types", "Which types of depth entries occur? (6, 7.6)", "some of 1 to 11")
DEPTH_START = Question("s7.depth_start", "Does the book begin with a reset (type 6)? (7.3)", "yes")
DEPTH_VOLUME = Question(
    "s7.depth_current_volume", "For which types does currentVolume differ from volume? (7.3)", "not for 1 and 2"
)
NULLS = Question("s7.null_padding", "Are arrays padded with null? (7.3)", "yes, to a power of two")
_STREAM = (
    ARGUMENTS, QUOTE_FIELDS, QUOTE_SYMBOL, QUOTE_PRICE, FIRST_QUOTE, TRADE_FIELDS, TRADE_FORM, DEPTH_FIELDS,
    DEPTH_FORM, DEPTH_TYPES, DEPTH_START, DEPTH_VOLUME, NULLS,
)  # fmt: skip


@asks(SUBSCRIBE, *_STREAM)
def ask_market_hub(context: CheckContext) -> Iterator[CheckResult]:
    """Listen to one contract."""
    with context.open_hub("market") as hub:
        calls = [hub.invoke(f"SubscribeContract{method}", context.contract_id) for method in _METHODS]
        yield SUBSCRIBE.compare("; ".join(dict.fromkeys(describe_completion(call) for call in calls)))
        hub.listen(context.options.listen_seconds)
        hub.require_open()
        yield from _assess_arguments(hub, context.contract_id)
        yield from _assess_quotes(_payloads(hub, _QUOTE))
        yield from _assess_trades(_payloads(hub, _TRADE))
        yield from assess_depth(_payloads(hub, _DEPTH))
        yield assess_nulls(_payloads(hub, _TRADE) + _payloads(hub, _DEPTH))


@asks(UNKNOWN)
def ask_unknown_contract(context: CheckContext) -> Iterator[CheckResult]:
    """Subscribe to a contract that does not exist."""
    with context.open_hub("market") as hub:
        yield UNKNOWN.compare(describe_completion(hub.invoke("SubscribeContractQuotes", "CON.F.US.NONE.Z20")))


def _assess_arguments(hub: GatewayHub, contract_id: str) -> Iterator[CheckResult]:
    events = [event for event in hub.events if event.target in {_QUOTE, _TRADE, _DEPTH}]
    others = [event for event in events if len(event.arguments) != 2 or event.arguments[0] != contract_id]  # noqa: PLR2004
    if not events:
        yield ARGUMENTS.skip(_no_events("event"))
    else:
        yield ARGUMENTS.assess(
            f"{len(others)} of {len(events)} events have others" if others else ARGUMENTS.expected, is_same=not others
        )


def _assess_quotes(payloads: list[Any]) -> Iterator[CheckResult]:
    quotes = _flatten(payloads)
    if not quotes:
        yield from (question.skip(_no_events("quote")) for question in (QUOTE_FIELDS, QUOTE_SYMBOL, QUOTE_PRICE))
        yield FIRST_QUOTE.skip(_no_events("quote"))
        return
    differences = find_differences(quotes, QuoteMessage, may_omit_null=True)
    yield QUOTE_FIELDS.assess(_describe(differences, quotes), is_same=not differences)
    yield QUOTE_SYMBOL.compare(_count([quote for quote in quotes if "symbol" not in quote], quotes))
    yield QUOTE_PRICE.compare(_count([quote for quote in quotes if not _PRICES & set(quote)], quotes))
    missing = sorted(_FULL - set(quotes[0]))
    yield FIRST_QUOTE.assess(f"no, without {', '.join(missing)}" if missing else "yes", is_same=not missing)


def _assess_trades(payloads: list[Any]) -> Iterator[CheckResult]:
    trades = _flatten(payloads)
    if not trades:
        yield from (question.skip(_no_events("trade")) for question in (TRADE_FIELDS, TRADE_FORM))
        return
    differences = find_differences(trades, TradeEntry)
    yield TRADE_FIELDS.assess(_describe(differences, trades), is_same=not differences)
    yield TRADE_FORM.compare(_form(payloads))


def assess_depth(payloads: list[Any]) -> Iterator[CheckResult]:
    """Assess the payloads of depth events."""
    entries = _flatten(payloads)
    if not entries:
        questions = (DEPTH_FIELDS, DEPTH_FORM, DEPTH_TYPES, DEPTH_START, DEPTH_VOLUME)
        yield from (question.skip(_no_events("depth entry")) for question in questions)
        return
    differences = find_differences(entries, DepthEntry, may_omit_null=True)
    yield DEPTH_FIELDS.assess(_describe(differences, entries), is_same=not differences)
    yield DEPTH_FORM.compare(_form(payloads))
    counts = Counter(entry.get("type") for entry in entries)
    observed = ", ".join(f"{type_}: {count}" for type_, count in sorted(counts.items(), key=str))
    yield DEPTH_TYPES.assess(observed, is_same=counts.keys() <= set(range(1, 12)))
    is_reset = entries[0].get("type") == _RESET
    yield DEPTH_START.assess("yes" if is_reset else f"no, with type {entries[0].get('type')}", is_same=is_reset)
    others = [entry for entry in entries if entry.get("volume") != entry.get("currentVolume")]
    types = {entry.get("type") for entry in others}
    observed = f"in {len(others)} of {len(entries)} entries, of types {', '.join(map(str, sorted(types, key=str)))}"
    if counts.keys() & {1, 2}:
        yield DEPTH_VOLUME.assess(observed if others else "for none", is_same=not types & {1, 2})
    else:
        yield DEPTH_VOLUME.skip(_no_events("depth entry of type 1 or 2"))


def assess_nulls(payloads: list[Any]) -> CheckResult:
    """Assess the lengths of arrays; a power of two says nothing about the padding unless a null came."""
    arrays = [payload for payload in payloads if isinstance(payload, list)]
    if not arrays:
        return NULLS.skip("no array came")
    has_null = any(None in array for array in arrays)
    if all(len(array).bit_count() == 1 for array in arrays):
        return NULLS.compare(NULLS.expected) if has_null else NULLS.skip(_no_events("array with a null"))
    lengths = ", ".join(str(length) for length in sorted({len(array) for array in arrays})[:10])
    return NULLS.compare(f"{'yes' if has_null else 'no'}, lengths {lengths}")


def _payloads(hub: GatewayHub, target: str) -> list[Any]:
    return [event.arguments[-1] for event in hub.events if event.target == target and event.arguments]


def _flatten(payloads: list[Any]) -> list[Row]:
    """Return the entries of payloads, which come alone or in arrays padded with null."""
    parts = [part for payload in payloads for part in (payload if isinstance(payload, list) else [payload])]
    return [part for part in parts if isinstance(part, dict)]


def _form(payloads: list[Any]) -> str:
    return " and ".join(sorted({"array" if isinstance(payload, list) else "object" for payload in payloads}))


def _count(found: list[Row], among: list[Row]) -> str:
    return f"{len(found)} of {len(among)}" if found else "none"


def _describe(differences: list[str], entries: list[Row]) -> str:
    return f"{len(entries)}: {'; '.join(differences)}" if differences else "as documented"


def _no_events(noun: str) -> str:
    return f"no {noun} came: run again in an open market, or with a larger --seconds"


CHECKS = (ask_market_hub, ask_unknown_contract)
