"""Questions that resting orders answer: tags, refusals, visibility, links (venue.md sections 5.6 to 5.8, 13)."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from shared.clock import monotonic
from shared.errors import RefusedError
from simulator.conformance.order_session import (
    CANCELLED,
    DISTANCES,
    LIMIT,
    OPEN,
    REJECTED,
    STOP_LIMIT,
    OrderSession,
)
from simulator.conformance.own_orders import SELL
from simulator.conformance.rest import GatewayReply
from simulator.conformance.results import CannotAskError, CheckResult, Question, asks

_CLOSED_TEXT, _CLOSED_CODE = "not in an active trading status", 5
_CLOSED_REASON = "the market is closed: run again when it is open"
_INVALID = 2  # the code of an order that no account may place
_POSITION_BRACKETS = "Position Brackets"  # in the answer to an order with brackets
SWITCH_TO_AUTO_OCO = "the account uses Position Brackets: switch it to Auto OCO Brackets and run again"
_IN_USE = "200 code 2 'Specified custom tag is already in use'"
_LENGTHS = (60, 128, 256, 512)
_CHARACTERS = " ü€\"'/\\<&;"
_VISIBLE_WITHIN_S = 10.0
_FIRST_LOOK = "at the first look"

CLOSED = Question("q7.closed_code", "Which code has an order in a closed market, 2 or 5? (13.7)", "code 2")
VISIBLE = Question("q1.visibility", "When does searchOpen show a new order? (13.1)", _FIRST_LOOK)
IN_USE = Question("q1.tag_in_use", "What does the tag of a working order get? (13.1)", _IN_USE)
CANCEL = Question("s5.cancel", "What do the first and a second cancel get? (5.8)", "200 success, 200 code 5")
AFTER_CANCEL = Question("q1.tag_after_cancel", "What does the tag of a cancelled order get? (13.1)", _IN_USE)
REJECTED_ROW = Question("s5.rejected_order", "Has a refused order an id, and a row with status 5? (5.6)", "yes")
TAG_LENGTH = Question("q2.tag_length", "How long may a tag be? (13.2)", "512 characters are accepted and kept")
TAG_CHARACTERS = Question("q2.tag_characters", f"Are the characters {_CHARACTERS!r} kept in a tag? (13.2)", "yes")
TAG_CASE = Question("q2.tag_case", "Is a tag in capitals another tag? (13.2)", "yes")
STOP_LIMITS = Question("q14.stop_limit", "Can a stop-limit order (type 3) be placed? (13.14)", "no, code 2")
LINK = Question("q14.linked_order_id", "Is linkedOrderId of Order/place honoured? (13.14)", "no")


@asks(CLOSED, VISIBLE, IN_USE, CANCEL, AFTER_CANCEL, REJECTED_ROW)
def ask_first_order(session: OrderSession) -> Iterator[CheckResult]:
    """Place one order, use its tag again, cancel it, and use its tag once more."""
    tag, reply = _place_first(session)
    if not reply.is_success:
        session.stop_reason = f"a plain limit order got {reply.describe()}: no more orders are placed"
        reason = session.stop_reason = _explain(reply)  # it raises if the status is no 200
        code, message = _read_error(reply)
        observed = f"code {code}, {message!r}"
        yield CLOSED.assess(observed, is_same=code == _INVALID) if _is_closed(reply) else CLOSED.skip(reason)
        yield from (question.skip(reason) for question in (VISIBLE, IN_USE, CANCEL, AFTER_CANCEL, REJECTED_ROW))
        return
    yield CLOSED.skip("the market is open: run again while it is closed")
    order_id = reply.document["orderId"]
    yield VISIBLE.compare(_look_for(session, order_id))
    second = session.place(customTag=tag)
    yield IN_USE.compare(second.describe())
    replies = [session.cancel(order_id)]
    session.wait_for_status(order_id, CANCELLED)
    replies.append(session.cancel(order_id))
    yield CANCEL.compare(", ".join(reply.describe() for reply in replies))
    yield AFTER_CANCEL.compare(session.place(customTag=tag).describe())
    rejected_id = (second.document or {}).get("orderId")
    if second.is_success:
        yield REJECTED_ROW.skip("the tag of a working order was accepted again, so no order was refused")
    elif rejected_id is None:
        yield REJECTED_ROW.compare("no id")
    else:
        yield REJECTED_ROW.compare(_describe_refused(session, rejected_id))


@asks(TAG_LENGTH, TAG_CHARACTERS, TAG_CASE)
def ask_tags(session: OrderSession) -> Iterator[CheckResult]:
    """Place orders with long and odd tags."""
    observed = TAG_LENGTH.expected
    for length in _LENGTHS:
        if problem := _try_tag(session, session.own.make_tag().ljust(length, "x")):
            observed = f"{length} characters: {problem}"
            break
    yield TAG_LENGTH.compare(observed)
    yield TAG_CHARACTERS.compare(_try_tag(session, session.own.make_tag() + _CHARACTERS) or "yes")
    tag = f"{session.own.make_tag()}-a"
    problem = _try_tag(session, tag) or _try_tag(session, f"{tag[:-1]}A")
    yield TAG_CASE.compare(problem or "yes")


# What is refused: the end of the id, what is wrong, how the simulator answers, and the changes of a far limit order.
_REFUSALS: Mapping[Question, Mapping[str, Any]] = {
    Question(
        "s5.refused_stop_sign_buy", "What does a buy with a positive stop bracket get? (5.6)",
        "200 code 2 'Invalid stop loss ticks (40). Ticks should be less than zero when longing.'",
    ): {"stopLossBracket": {"ticks": 40, "type": 4}},
    Question(
        "s5.refused_stop_sign_sell", "What does a sell with a negative stop bracket get? (5.6)",
        "200 code 2 'Invalid stop loss ticks (-40). Ticks should be greater than zero when going short'",
    ): {"side": SELL, "stopLossBracket": {"ticks": -40, "type": 4}},
    Question(
        "s5.refused_target_sign_sell", "What does a sell with a positive target bracket get? (5.6)",
        "200 code 2 'Invalid take profit ticks (80). Ticks should be less than zero when going short'",
    ): {"side": SELL, "takeProfitBracket": {"ticks": 80, "type": 1}},
    Question(
        "s5.refused_near_stop", "What does a stop bracket of one tick get? (5.6)",
        "200 code 2 'Invalid stop loss ticks (-1). Price should be at least 4 ticks away.'",
    ): {"stopLossBracket": {"ticks": -1, "type": 4}},
    Question(
        "s5.refused_no_price", "What does a limit order without a price get? (5.6)",
        "200 code 2 'Invalid price. Price is outside allowed range.'",
    ): {"limitPrice": None},
    Question(
        "s5.refused_size", "What does an order of size 0 get? (5.6)",
        "200 code 2 'Invalid order size. Size should be greater than zero.'",
    ): {"size": 0},
}  # fmt: skip
MISALIGNED = Question(
    "s5.refused_misaligned", "What does a price between two ticks get? (5.6)",
    "200 code 2 'Invalid price. Price is not aligned to tick size.'",
)  # fmt: skip


@asks(*_REFUSALS, MISALIGNED, STOP_LIMITS)
def ask_refusals(session: OrderSession) -> Iterator[CheckResult]:
    """Place orders that the venue refuses."""
    misaligned = {"limitPrice": session.far_price() + session.context.tick_size / 2}
    for question, changes in {**_REFUSALS, MISALIGNED: misaligned}.items():
        reply = session.place(**changes)
        if reply.is_success:
            session.cancel(reply.document["orderId"])
        if wants_auto_oco(reply):
            yield question.skip(SWITCH_TO_AUTO_OCO)
        else:
            yield question.compare(reply.describe())
    price = session.far_price(SELL)
    reply = session.place(type=STOP_LIMIT, stopPrice=price, limitPrice=price)
    if reply.is_success:
        observed = _describe_stop_limit(session, reply.document["orderId"])
        session.cancel(reply.document["orderId"])
        yield STOP_LIMITS.compare(observed)
    else:
        code, _ = _read_error(reply)
        is_same = code == _INVALID
        reason = find_refusal(session) if is_same else None  # once trading has ended, every order gets this code
        yield STOP_LIMITS.skip(reason) if reason else STOP_LIMITS.assess(f"no, {reply.describe()}", is_same=is_same)


@asks(LINK)
def ask_link(session: OrderSession) -> Iterator[CheckResult]:
    """Place an order that is linked to another, and cancel that one."""
    first = session.place_accepted()
    reply = session.place(type=LIMIT, linkedOrderId=first)
    if not reply.is_success:
        yield LINK.compare(f"it is refused: {reply.describe()}")
        session.cancel(first)
        return
    second = reply.document["orderId"]
    linked = session.order(second).get("linkedOrderId")
    session.cancel(first)
    session.wait_for_status(first, CANCELLED)
    session.hub.listen(1)
    status = session.order(second)["status"]
    session.cancel(second)
    words = [] if linked is None else ["its row has it"]
    words += [] if status == OPEN else [f"cancelling the first gives it status {status}"]
    yield LINK.compare("; ".join(words) or "no")


def _place_first(session: OrderSession) -> tuple[str, GatewayReply]:
    """Place a limit order as far from the market as the venue allows, and return its tag and the answer."""
    for distance in DISTANCES:
        session.distance = distance
        tag = session.own.make_tag()
        reply = session.place(customTag=tag)
        if reply.is_success or _is_closed(reply):
            break
    return tag, reply


def find_refusal(session: OrderSession) -> str | None:
    """Return why a plain limit order far from the market is refused, None if it is accepted, and tidy.

    Raise RefusedError if it is refused with another status than 200, VenueDownError if it gets no clear answer.
    """
    reply = session.place()
    session.tidy()
    return None if reply.is_success else _explain(reply)


def wants_auto_oco(reply: GatewayReply) -> bool:
    """Whether an order with brackets is refused because the account uses Position Brackets."""
    _, message = _read_error(reply)
    return _POSITION_BRACKETS in message


def _read_error(reply: GatewayReply) -> tuple[object, str]:
    """Return the error code and message of an answer, None and "None" of one that is no 200."""
    document = reply.document if isinstance(reply.document, dict) and reply.status == HTTPStatus.OK else {}
    return document.get("errorCode"), str(document.get("errorMessage"))


def _is_closed(reply: GatewayReply) -> bool:
    """Whether an answer to an order has one of the two known forms that say that the market is closed."""
    code, message = _read_error(reply)
    return code == _CLOSED_CODE or _CLOSED_TEXT in message


def _explain(reply: GatewayReply) -> str:
    """Return why nothing can be asked with orders after the refusal of a plain one.

    Raise RefusedError if its status is not 200: no hour and no account explains that.
    """
    if reply.status != HTTPStatus.OK:
        raise RefusedError(f"a plain limit order got {reply.describe()}, expected a 200")
    if _is_closed(reply):
        return _CLOSED_REASON
    return f"a plain limit order got {reply.describe()}: run again when the account may trade"


def _look_for(session: OrderSession, order_id: int) -> str:
    """Return when searchOpen shows an order."""
    began, looks = monotonic(), 0
    while monotonic() - began < _VISIBLE_WITHIN_S:
        looks += 1
        rows = session.context.rest.rows("/api/Order/searchOpen", "orders", accountId=session.context.account_id)
        if order_id in {row["id"] for row in rows}:
            return _FIRST_LOOK if looks == 1 else f"after {(monotonic() - began) * 1000:.0f} ms"
        session.hub.listen(0.05)
    return f"not within {_VISIBLE_WITHIN_S:.0f} s"


def _describe_refused(session: OrderSession, order_id: int) -> str:
    """Return what the row of a refused order says, or that there is none in time."""
    try:
        status = session.order(order_id)["status"]
    except CannotAskError as error:
        return f"an id without a row ({error})"
    return "yes" if status == REJECTED else f"status {status}"


def _describe_stop_limit(session: OrderSession, order_id: int) -> str:
    """Return what the row of an accepted stop-limit order says, or that there is none in time."""
    try:
        row = session.order(order_id)
    except CannotAskError as error:
        return f"yes, without a row ({error})"
    return f"yes, its row has type {row['type']} and status {row['status']}"


def _try_tag(session: OrderSession, tag: str) -> str:
    """Place an order with a tag, cancel it, and return what is wrong with the tag, "" if nothing is."""
    reply = session.place(customTag=tag)
    if not reply.is_success:
        return reply.describe()
    kept = session.order(reply.document["orderId"]).get("customTag")
    session.cancel(reply.document["orderId"])
    return "" if kept == tag else "it is kept differently"


STEPS = (ask_first_order, ask_tags, ask_refusals, ask_link)
