"""Questions that positions answer: brackets, events, balance, reversal (venue.md sections 5.6, 7.2, 7.6, 13)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from shared.clock import monotonic
from simulator.conformance.context import Row
from simulator.conformance.order_session import CANCELLED, FILLED, MARKET, OPEN, STOP, OrderSession
from simulator.conformance.order_steps import SWITCH_TO_AUTO_OCO, wants_auto_oco
from simulator.conformance.own_orders import SELL
from simulator.conformance.results import CannotAskError, CheckResult, Question, asks
from simulator.conformance.schema_check import describe_differences, find_differences
from simulator.conformance.user_events import ACCOUNT, ORDER, POSITION, TRADE, BeforeEntry, EventsSince, ask_events
from simulator.schemas import HalfTradeModel, Model, OrderModel, PositionModel, TradingAccountModel

_TICKS = 400  # of each bracket: far enough that no leg fills during the run
_MODELS: dict[str, type[Model]] = {
    ACCOUNT: TradingAccountModel, ORDER: OrderModel, POSITION: PositionModel, TRADE: HalfTradeModel,
}  # fmt: skip
_SEEN_WITHIN_S = 2
_LEGS_WITHIN_S = _TRADES_WITHIN_S = 10.0
_OTHERS_TRADED = "a fill on the account is not of this run: let nothing else trade on the account, and run again"
_LATE_TRADES = "Trade/search does not list the fills in time: run again later"

BRACKET = Question("s5.bracket_accepted", "Does the account accept brackets? (5.6)", "yes")
LEG_IDS = Question("s5.leg_ids", "Which ids have the legs of entry n? (5.6)", "stop n+1, target n+2")
LEG_TAGS = Question("s5.leg_tags", "Which tags have the legs of an entry with the tag T? (5.6)", "T-SL, T-TP")
LEG_LINKS = Question(
    "q14.leg_links", "Which legs have parentOrderId, and linkedOrderId? (5.6, 13.14)",
    "both the entry; the target the stop",
)  # fmt: skip
LEG_PRICES = Question("s5.leg_prices", "Do the legs count from the price of the fill? (5.6)", "yes")
EVENT_ORDER = Question(
    "s7.event_order", "In which order do the events of a filled bracket entry come? (10)",
    "SL 8, entry 6, TP 8, entry 2, trade, position, account, TP 1, SL 1",
)  # fmt: skip
DEBIT = Question("q12.balance_debit", "When is the balance debited with fees? (13.12)", "at the opening fill")
OPENING_PNL = Question("s5.opening_pnl", "What is profitAndLoss of an opening fill? (5.16)", "null")
CANCEL_LEG = Question("q6.cancel_one_leg", "What does cancelling the target do to the stop? (13.6)", "it stays")
CLOSE_LEGS = Question("q6.close_cancels_legs", "What does closeContract do to the stop? (13.6)", "it stays")
CLOSING = Question(
    "s7.closing_position",
    "What has the event of a closed position? (7.6)",
    "action 2, type 0, size 0, the entry average",
)
ACTIONS = Question(
    "q5.actions", "Which actions have the events of the user hub? (13.5)",
    "account 1, order 1, order cancelled 2, position 1, position closed 2, trade 0",
)  # fmt: skip
EVENT_FIELDS = Question("s7.event_fields", "Have user events the documented fields? (7.2)", "as documented")
REVERSAL = Question(
    "q13.reversal", "How many trades has a reversal, and which have a profit? (13.13)", "2: the first, not the second"
)


@asks(BRACKET, LEG_IDS, LEG_TAGS, LEG_LINKS, LEG_PRICES, EVENT_ORDER, DEBIT, OPENING_PNL, CANCEL_LEG, CLOSE_LEGS,
      CLOSING, ACTIONS, EVENT_FIELDS)  # fmt: skip
def ask_round_trip(session: OrderSession) -> Iterator[CheckResult]:
    """Buy one contract with a bracket, cancel its target, and close it."""
    session.hub.listen(0.5)
    before = BeforeEntry(session)
    events, tag = EventsSince(session), session.own.make_tag()
    brackets = {"stopLossBracket": {"ticks": -_TICKS, "type": 4}, "takeProfitBracket": {"ticks": _TICKS, "type": 1}}
    reply = session.place(type=MARKET, limitPrice=None, customTag=tag, **brackets)
    if reply.is_success:
        entry = session.wait_for_status(reply.document["orderId"], FILLED)
        yield BRACKET.compare("yes")
        yield from _assess_entry(session, events, before, entry, tag)
    else:
        is_setting = wants_auto_oco(reply)
        reason = SWITCH_TO_AUTO_OCO if is_setting else f"a market order with brackets got {reply.describe()}"
        yield BRACKET.skip(reason) if is_setting else BRACKET.compare(reply.describe())
        skipped = (LEG_IDS, LEG_TAGS, LEG_LINKS, LEG_PRICES, EVENT_ORDER, CANCEL_LEG, CLOSE_LEGS)
        yield from (question.skip(reason) for question in skipped)
        session.cancel(session.place_accepted())  # no leg will be cancelled: for the event of a cancelled order
        entry = session.wait_for_status(session.place_accepted(type=MARKET, limitPrice=None), FILLED)
    yield from _assess_money(session, entry, before)
    stop = None
    if reply.is_success:
        stop, target = _wait_for_legs(session, entry)
        yield CANCEL_LEG.compare(_cancel_target(session, stop, target))
        stop = session.order(stop["id"])
    session.close_position()
    session.hub.listen(_SEEN_WITHIN_S)
    if stop is not None and stop["status"] == OPEN:
        yield CLOSE_LEGS.compare(_describe_stop(session, stop))
        session.cancel(stop["id"])
        session.hub.listen(1)
    elif stop is not None:
        yield CLOSE_LEGS.skip("the stop was no longer open before closeContract")
    yield ask_events(CLOSING, lambda: _assess_closing(events, entry))
    yield ask_events(ACTIONS, lambda: _assess_actions(events))
    yield ask_events(EVENT_FIELDS, lambda: _assess_fields(events))


@asks(REVERSAL)
def ask_reversal(session: OrderSession) -> Iterator[CheckResult]:
    """Buy one contract, sell two, and close the one sold."""
    session.wait_for_status(session.place_accepted(type=MARKET, limitPrice=None), FILLED)
    session.own_position.require_own()
    reversal = session.place_accepted(type=MARKET, limitPrice=None, side=SELL, size=2)
    session.wait_for_status(reversal, FILLED)
    session.hub.listen(_SEEN_WITHIN_S)
    trades = _wait_for_trades(session, reversal, size=2)
    profits = [row.get("profitAndLoss") is not None for row in trades]
    session.close_position()
    if sum(row["size"] for row in trades) < 2:  # noqa: PLR2004 - the size of the order
        yield REVERSAL.skip(_LATE_TRADES)
    elif profits == [True, False]:
        yield REVERSAL.compare(REVERSAL.expected)
    else:
        words = ", ".join("with a profit" if has_profit else "without" for has_profit in profits)
        yield REVERSAL.compare(f"{len(profits)}: {words}")


def _assess_entry(
    session: OrderSession, events: EventsSince, before: BeforeEntry, entry: Row, tag: str
) -> Iterator[CheckResult]:
    session.hub.listen(_SEEN_WITHIN_S)
    try:
        stop, target = _wait_for_legs(session, entry)
    except CannotAskError as error:
        yield LEG_IDS.compare(str(error))
        raise
    id_ = entry["id"]
    yield LEG_IDS.compare(f"stop n+{stop['id'] - id_}, target n+{target['id'] - id_}".replace("+-", "-"))
    tags = [str(leg.get("customTag")).replace(tag, "T") for leg in (stop, target)]
    yield LEG_TAGS.compare(", ".join(tags))
    parents = {leg.get("parentOrderId") for leg in (stop, target)} == {id_}
    links = (stop.get("linkedOrderId"), target.get("linkedOrderId"))
    is_same = parents and links == (None, stop["id"])
    names = {id_: "the entry", stop["id"]: "the stop", target["id"]: "the target", None: "none"}
    observed = f"parents {'are the entry' if parents else 'are not both the entry'}; the stop's link is "
    observed += f"{names.get(links[0], 'another')}, the target's {names.get(links[1], 'another')}"
    yield LEG_LINKS.assess(observed, is_same=is_same)
    away = _TICKS * session.context.tick_size
    prices = (stop.get("stopPrice"), target.get("limitPrice"))
    is_exact = prices == (entry["filledPrice"] - away, entry["filledPrice"] + away)
    yield LEG_PRICES.assess("yes" if is_exact else "no", is_same=is_exact)
    names = {id_: "entry", stop["id"]: "SL", target["id"]: "TP"}
    yield ask_events(EVENT_ORDER, lambda: _assess_order(events, before, names))


def _assess_order(events: EventsSince, before: BeforeEntry, names: dict[Any, str]) -> CheckResult:
    observed = ", ".join(_name_event(names, *event) for event in events.rows()) or "no event"
    return EVENT_ORDER.skip(_OTHERS_TRADED) if before.have_others_traded() else EVENT_ORDER.compare(observed)


def _assess_money(session: OrderSession, entry: Row, before: BeforeEntry) -> Iterator[CheckResult]:
    session.hub.listen(_SEEN_WITHIN_S)
    trades = _wait_for_trades(session, entry["id"], size=1)
    if not trades:
        yield from (question.skip(_LATE_TRADES) for question in (DEBIT, OPENING_PNL))
        return
    costs = sum((Decimal(row["fees"]) + Decimal(row.get("commissions") or 0) for row in trades), start=Decimal(0))
    paid = before.balance - session.balance()
    observed = (
        "at the opening fill" if costs and paid == costs else "later" if paid == 0 else "another amount at the fill"
    )
    yield DEBIT.skip(_OTHERS_TRADED) if before.have_others_traded() else DEBIT.compare(observed)
    profits = {"null" if row.get("profitAndLoss") is None else "a number" for row in trades}
    yield OPENING_PNL.compare(", ".join(sorted(profits)))


def _assess_closing(events: EventsSince, entry: Row) -> CheckResult:
    rows = [(action, row) for _, action, row in events.rows(POSITION) if row.get("size") == 0]
    if not rows:
        return CLOSING.assess("no event with size 0", is_same=False)
    action, row = rows[-1]
    average = row.get("averagePrice")
    words = (
        "the entry average"
        if average == entry["filledPrice"]
        else f"average {'0' if average == 0 else 'of another price'}"
    )
    return CLOSING.compare(f"action {action}, type {row.get('type')}, size 0, {words}")


def _assess_actions(events: EventsSince) -> CheckResult:
    names = {ACCOUNT: "account", ORDER: "order", POSITION: "position", TRADE: "trade"}
    found = set()
    for target, action, row in events.rows():
        name = names.get(target, target)
        if target == ORDER and row.get("status") == CANCELLED:
            name += " cancelled"
        if target == POSITION and row.get("size") == 0:
            name += " closed"
        found.add(f"{name} {action}")
    return ACTIONS.compare(", ".join(sorted(found)))


def _assess_fields(events: EventsSince) -> CheckResult:
    differences, count = [], 0
    for target, model in _MODELS.items():
        rows: list[Any] = [row for _, _, row in events.rows(target)]
        count += len(rows)
        found = find_differences(rows, model, may_omit_null=True)
        differences += [f"{target} {difference}" for difference in found]
        differences += [] if rows else [f"no {target} came"]
    return EVENT_FIELDS.assess(describe_differences(differences, count, "events"), is_same=not differences)


def _wait_for_legs(session: OrderSession, entry: Row) -> tuple[Row, Row]:
    """Return the working stop and target of an entry; raise CannotAskError if they are not shown in time."""
    end = monotonic() + _LEGS_WITHIN_S
    while True:
        stop, target = _find_legs(session, entry)
        if stop is not None and target is not None:
            return stop, target
        if monotonic() > end:
            raise CannotAskError(
                f"v2/query shows no working stop and target of a filled entry within {_LEGS_WITHIN_S:.0f} s"
            )
        session.hub.listen(0.2)


def _wait_for_trades(session: OrderSession, order_id: int, size: int) -> list[Row]:
    """Return the trades of a filled order once they make its size, or those that are listed until then in time."""
    end = monotonic() + _TRADES_WITHIN_S
    while True:
        trades = session.own.search_trades(order_id)
        if sum(row["size"] for row in trades) >= size or monotonic() > end:
            return trades
        session.hub.listen(0.2)


def _find_legs(session: OrderSession, entry: Row) -> tuple[Row | None, Row | None]:
    """Return the working stop and target of an entry."""
    legs = [row for row in session.own.search_working() if row.get("parentOrderId") == entry["id"]]
    stops = [row for row in legs if row["type"] == STOP]
    targets = [row for row in legs if row["type"] != STOP]
    return (stops[0] if stops else None), (targets[0] if targets else None)


def _cancel_target(session: OrderSession, stop: Row, target: Row) -> str:
    """Cancel the target of an entry, and return what that does to the stop, or why it is not cancelled."""
    reply = session.cancel(target["id"])
    if not reply.is_success:
        return f"the target is not cancelled: {reply.describe()}"
    session.wait_for_status(target["id"], CANCELLED)
    session.hub.listen(_SEEN_WITHIN_S)
    return _describe_stop(session, stop)


def _describe_stop(session: OrderSession, stop: Row) -> str:
    status = session.order(stop["id"])["status"]
    return "it stays" if status == OPEN else f"it gets status {status}"


def _name_event(names: dict[Any, str], target: str, action: object, row: Row) -> str:  # noqa: ARG001 - one of three
    if target == ORDER:
        return f"{names.get(row.get('id'), 'another')} {row.get('status')}"
    return {TRADE: "trade", POSITION: "position", ACCOUNT: "account"}.get(target, target)


STEPS = (ask_round_trip, ask_reversal)
