"""The rules that an entry breaks; an exit (a close, a reduction, a flatten) is never checked here: it always passes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal

from shared.domain.counting import count_of
from shared.domain.market_data.calendar import CHICAGO, Calendar, Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.product_family import family_of, is_equity_index, is_micro
from shared.domain.orders.order import MIN_TICKS, Direction, Side
from shared.domain.risk.account_risk import (
    AccountRisk,
    Holding,
    OpenEntry,
    loss_limit_level,
    next_chicago_time,
    next_day_end,
)
from shared.domain.risk.account_rules import disk_findings, limit_findings
from shared.domain.risk.findings import Finding, RuleAction, chicago_time
from shared.domain.risk.personal_limits import root_findings
from shared.domain.risk.rule_book import RuleBook
from shared.errors import OutsideCalendarError

_MINUTE = timedelta(minutes=1)
_JUST_AFTER = timedelta(seconds=1)
_OPPOSITE_DIRECTIONS = {Side.BUY: Direction.SHORT, Side.SELL: Direction.LONG}


@dataclass(frozen=True, slots=True)
class SizedEntry:
    """A request to open, add to or reverse a position, with its stop in ticks from the fill."""

    contract: Contract
    side: Side
    quantity: int
    stop_loss_ticks: int | None

    @property
    def stop_risk(self) -> Decimal | None:
        """The loss at the stop in dollars, before fees; None without a stop."""
        if self.stop_loss_ticks is None:
            return None
        return self.stop_loss_ticks * self.contract.tick_value * self.quantity


def check_entry_rules(
    entry: SizedEntry,
    risk: AccountRisk,
    book: RuleBook,
    market_now: datetime,
    *,
    session: Session | None,
    calendar: Calendar,
) -> list[Finding]:
    """Return every finding that forbids an entry, with its figures and when it lifts; none if it may be sent.

    `risk` counts everything but the entry itself. `session` is that of the entry's contract at `market_now`, None
    while its market is closed. A missing fact forbids the entry. An entry that only makes a position smaller is
    still an entry: no loss limit, no contract limit and no other account's side forbids it, but its time, pace, size
    and stop are checked.
    """
    losses = [] if only_reduces(entry, risk) else [*limit_findings(risk, book, market_now), *disk_findings(risk)]
    return [
        *(finding for finding in losses if finding.action >= RuleAction.BLOCK),
        *_size_findings(entry, risk, book, market_now),
        *time_findings(entry.contract, book, market_now, session=session, calendar=calendar),
        *_pace_findings(risk, book, market_now),
        *_side_findings(entry, risk, book),
        *_stop_findings(entry, risk, book),
    ]


def check_resend(
    sent: SizedEntry, risk: AccountRisk, book: RuleBook, market_now: datetime, *, calendar: Calendar
) -> list[Finding]:
    """Return every finding that forbids to send an entry again that the venue has never received; none if it may.

    `risk` counts it as an open entry, and it has passed every rule, so what the time may have changed is checked: the
    loss limits, which forbid nothing that only makes a position smaller, the session, hours and news.
    """
    rest = replace(sent, quantity=0)  # it is counted already
    losses = [] if only_reduces(rest, risk) else [*limit_findings(risk, book, market_now), *disk_findings(risk)]
    return [
        *(finding for finding in losses if finding.action >= RuleAction.BLOCK),
        *time_findings(sent.contract, book, market_now, session=calendar.session_at(market_now), calendar=calendar),
    ]


def check_wider_stop(
    from_average: SizedEntry, from_price: SizedEntry, risk: AccountRisk, book: RuleBook, market_now: datetime
) -> list[Finding]:
    """Return every finding that forbids to move the stop of a position away from the market; none if it may move.

    The loss limits and the stop rules of an entry apply; its session, pace and size do not. The position is given
    twice, with the ticks to the new stop from its average price, and from the price at which it can be closed now.
    """
    return [
        *(finding for finding in limit_findings(risk, book, market_now) if finding.action >= RuleAction.BLOCK),
        *_trade_risk_findings(from_average, book),
        *_loss_findings(from_price, risk, book, is_held=True),
    ]


def only_reduces(entry: SizedEntry, risk: AccountRisk) -> bool:
    """Whether an entry leaves a smaller position, even after all other working entries on its side have filled."""
    return entry.quantity <= reducible_quantity(entry.contract.id, entry.side, risk)


def reducible_quantity(contract_id: str, side: Side, risk: AccountRisk) -> int:
    """Return the most contracts of an entry that only reduces; below 0 if what works on its side is too much."""
    against = -risk.quantity_of(contract_id) * side.sign
    return against - _working_quantity(risk, side, contract_id)


def _working_quantity(risk: AccountRisk, side: Side, contract_id: str) -> int:
    return sum(order.quantity for order in risk.open_entries if order.side is side and order.contract_id == contract_id)


def _size_findings(entry: SizedEntry, risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    if entry.quantity < 1:  # of a size by risk
        loss = (entry.stop_loss_ticks or 0) * entry.contract.tick_value + book.costs_of(entry.contract.root, 1)
        yield _forbid(
            "risk",
            f"the risk is too small for one contract, which loses {loss:,.2f} at this stop, costs included: give a "
            "larger risk, or a nearer stop",
        )
    elif entry.quantity > book.max_quantity:
        yield _forbid(
            "max_quantity",
            f"quantity {entry.quantity} is not between 1 and {book.max_quantity} an order: `tickwork accounts rules "
            "ACCOUNT max_quantity=N` changes that, and the setting max_quantity that of all accounts",
        )
    if only_reduces(entry, risk):
        return
    yield from root_findings(entry.contract.root, entry.side, entry.quantity, risk, book)
    if risk.day_opening_balance is None:
        return
    # Every position counts, long or short, and so do working entries on the entry's side. Source: venue.md section 9.
    held = sum(book.count_micros(holding.root, abs(holding.quantity)) for holding in risk.holdings)
    working = sum(
        book.count_micros(order.root, order.quantity) for order in risk.open_entries if order.side is entry.side
    )
    requested = book.count_micros(entry.contract.root, entry.quantity)
    most = book.max_micros(risk.day_opening_balance)
    if held + working + requested > most:
        yield _forbid(
            "contracts",
            f"contracts allowed: {held} held, {working} working to {entry.side} and {requested} requested are more "
            f"than {count_of(most, 'micro')} ({count_of(most // book.micros_per_mini, 'mini')}) over the whole account",
            next_day_end(market_now) if book.scaling_plan else None,
        )


def time_findings(
    contract: Contract, book: RuleBook, market_now: datetime, *, session: Session | None, calendar: Calendar
) -> Iterator[Finding]:
    """Yield the findings that forbid any entry in a contract at this time: session, last entry, hours, news."""
    if session is None or not session.opens <= market_now < session.closes:
        yield _forbid(
            "session",
            f"the market of {contract.id} is closed at {chicago_time(market_now)}, or its session is not known",
            _next_opening(calendar, market_now),
        )
    elif not session.takes_entries_at(market_now):
        yield _forbid(
            "last_entry",
            f"no new position in {contract.id} from {chicago_time(session.last_entry)} on, "
            f"flat by {chicago_time(session.flat_by)}",
            _next_opening(calendar, market_now),
        )
    else:
        for pause in session.pauses:
            if pause.start <= market_now < pause.end:
                yield _forbid("session", f"{contract.id} pauses until {chicago_time(pause.end)}", pause.end)
    if book.trading_hours is not None and not _is_within(book.trading_hours, market_now):
        opens, ends = book.trading_hours
        yield _forbid(
            "trading_hours",
            f"trading hours: {chicago_time(market_now)} is not within {opens:%H:%M} to {ends:%H:%M}",
            next_chicago_time(opens, market_now),
        )
    if not is_equity_index(contract.root):
        return
    for window in (*book.news, *book.imported_news):
        concerns = window.blocks_micros or not is_micro(contract.root)
        if concerns and window.at - window.before <= market_now <= window.at + window.after:
            yield _forbid(
                "news",
                f"news: {window.name} at {chicago_time(window.at)} allows no new position in {contract.root} from "
                f"{chicago_time(window.at - window.before)} to {chicago_time(window.at + window.after)}",
                window.at + window.after + _JUST_AFTER,
            )


def _pace_findings(risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    # A working entry becomes a trade of today, so it counts before it fills.
    trades = risk.trade_count_today + len(risk.open_entries)
    if book.max_trades_per_day is not None and trades >= book.max_trades_per_day:
        yield _forbid(
            "max_trades_per_day",
            f"trades a day: {trades} of {book.max_trades_per_day} are made or working",
            next_day_end(market_now),
        )
    if risk.order_count_last_minute >= book.max_orders_per_minute:
        yield _forbid(
            "max_orders_per_minute",
            f"orders a minute: {risk.order_count_last_minute} of {book.max_orders_per_minute} were sent in the "
            "last minute",
            (risk.oldest_order_market_at or market_now) + _MINUTE,
        )


def _side_findings(entry: SizedEntry, risk: AccountRisk, book: RuleBook) -> Iterator[Finding]:
    family = family_of(entry.contract.root)
    against = _OPPOSITE_DIRECTIONS[entry.side]
    if only_reduces(entry, risk):
        return
    if book.forbid_opposite_sides and against in risk.other_directions.get(family, frozenset()):
        yield _forbid(
            "forbid_opposite_sides",
            f"opposite sides: another account of yours is {against} in {family}, and the firm permanently "
            f"closes accounts that hedge each other: no {entry.side} of {entry.contract.root} until it is flat",
        )


def _stop_findings(entry: SizedEntry, risk: AccountRisk, book: RuleBook) -> Iterator[Finding]:
    stop_risk = entry.stop_risk
    if stop_risk is None or entry.stop_loss_ticks is None or entry.stop_loss_ticks < MIN_TICKS:
        yield _forbid(
            "stop_loss",
            f"invalid stop of {count_of(entry.stop_loss_ticks or 0, 'tick')}: expected at least {MIN_TICKS}",
        )
        return
    yield from _trade_risk_findings(entry, book)
    if not only_reduces(entry, risk):
        yield from _loss_findings(entry, risk, book)


def _trade_risk_findings(entry: SizedEntry, book: RuleBook) -> Iterator[Finding]:
    stop_risk = entry.stop_risk
    if book.risk_per_trade is not None and stop_risk is not None and stop_risk > book.risk_per_trade:
        yield _forbid(
            "risk_per_trade",
            f"risk per trade: {entry.quantity} x {entry.stop_loss_ticks} ticks x {entry.contract.tick_value} = "
            f"{stop_risk:,.2f} is more than {book.risk_per_trade:,.2f}",
        )


def _loss_findings(entry: SizedEntry, risk: AccountRisk, book: RuleBook, *, is_held: bool = False) -> Iterator[Finding]:
    """Yield a finding if the loss at every stop reaches the loss limit level; an entry that is held counts once."""
    least, equity, stop_risk = loss_limit_level(risk, book), risk.equity, entry.stop_risk
    if least is None or equity is None or stop_risk is None:
        return
    holdings = [one for one in risk.holdings if not (is_held and one.contract_id == entry.contract.id)]
    for holding in holdings:
        if holding.unprotected:
            yield _forbid(
                "unprotected",
                f"{holding.unprotected} of {holding.contract_id} are held without a stop: their loss has no bound",
            )
    parts: tuple[Holding | OpenEntry, ...] = (*holdings, *risk.open_entries)
    others = sum((part.stop_risk for part in parts), start=Decimal(0))
    costs = sum((book.costs_of(part.root, abs(part.quantity)) for part in parts), start=Decimal(0))
    costs += book.costs_of(entry.contract.root, entry.quantity)
    worst = equity - others - stop_risk - costs
    if worst <= least:
        yield _forbid(
            "stop_loss",
            f"loss at the stop: equity {equity:,.2f} less {stop_risk:,.2f} at this stop, {others:,.2f} at other "
            f"stops and {costs:,.2f} of costs is {worst:,.2f}, not above the loss limit level of {least:,.2f}",
        )


def _forbid(rule: str, message: str, lifts: datetime | None = None) -> Finding:
    return Finding(rule, RuleAction.BLOCK, message, lifts)


def _is_within(hours: tuple[time, time], market_now: datetime) -> bool:
    starts, ends = hours
    here = market_now.astimezone(CHICAGO).time()
    return starts <= here < ends if starts < ends else here >= starts or here < ends


def _next_opening(calendar: Calendar, market_now: datetime) -> datetime | None:
    try:
        return calendar.next_session(market_now).opens
    except (ValueError, OutsideCalendarError):
        return None  # the calendar finds no session in reach: the time is unknown
