"""What a person is asked before an order is sent: is its price meant, and the loss at its stop?"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from cli.client.change_check import confirm, foresee
from cli.client.risk_view import require_market
from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import untracked
from shared.db.orders import positions
from shared.db.orders.orders import OrderRow
from shared.db.risk import entry_check
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.far_price import describe_far_price
from shared.domain.orders.order import PRICE_FIELDS, Side
from shared.domain.risk.findings import dollars
from shared.domain.risk.headroom import MAX_LOSS_LIMIT, list_headroom
from shared.domain.risk.preconditions import EntryTerms, check_session
from shared.errors import PostponedError, RefusedError
from shared.hot.quotes import exit_price_from
from shared.overview.risk_view import read_fresh_quotes


@dataclass(frozen=True, slots=True)
class EntryTrial:
    """An entry that a person has typed and that is not requested yet; with `risk` its quantity is not known."""

    connection: Connection
    settings: Settings
    account: AccountRow
    contract: Contract
    entry: EntryTerms
    risk: Decimal | None

    def count_opened(self) -> int:
        """Return how many contracts it opens, after those of the position against it; of an entry by risk 1."""
        return max(0, (self.entry.quantity or 1) - self._count_against())

    def find_closed(self) -> str | None:
        """Return the contract whose position it closes before it opens anything, None if there is none."""
        return self.contract.id if self._count_against() else None

    def _count_against(self) -> int:
        held = positions.quantity_of(self.connection, self.account.id, self.contract.id)
        return max(0, -held * self.entry.side.sign)


def read_market_price(settings: Settings, contract_id: str, side: Side) -> Decimal | None:
    """Return the price at which a market order of this side fills by the fresh quote, None without one."""
    return exit_price_from(read_fresh_quotes(settings, {contract_id}))(contract_id, -side.sign)


def list_doubts(trial: EntryTrial) -> list[str]:
    """Return what to ask a person about: a price far from the market, and a loss at the stop beyond the headroom.

    Raise RefusedError if the entry would only wait for a quote. One that only closes gives no doubt.
    """
    if not trial.count_opened():
        return []
    price = read_market_price(trial.settings, trial.contract.id, trial.entry.side)
    if price is None:
        _refuse_unless_closed(trial)
        return []
    return [*_doubt_price(trial.contract.id, trial.entry, price), *_doubt_loss(trial, price)]


def confirm_price(settings: Settings, order: OrderRow, price: Decimal, *, yes: bool, as_json: bool) -> None:
    """Ask for confirmation if the new price of an order is far from the market; raise SettingsError on a no."""
    market = None if yes else read_market_price(settings, order.contract_id, order.side)
    far = (
        None
        if market is None
        else describe_far_price(order.contract_id, order.side, order.type, price=price, market=market)
    )
    if far is not None:
        confirm(f"{far}. Change it?", "change it", as_json=as_json)


def _refuse_unless_closed(trial: EntryTrial) -> None:
    """Raise RefusedError in an open market: without a fresh quote an entry only waits for one."""
    clock, contract = require_market(trial.connection).clock, trial.contract
    try:
        check_session(calendar_of(ROOTS[contract.root].group), contract, clock.now(), speed=clock.speed)
    except (PostponedError, RefusedError):
        return  # the worker says so at once
    if trial.settings.cache_url:
        hint = untracked.explain(trial.connection, contract.root, trial.settings.contracts)
        hint = hint or "`tickwork status` shows the feed"
        raise RefusedError(f"no fresh quote of {contract.id}, so no entry is sent: {hint}")


def _doubt_price(contract_id: str, entry: EntryTerms, market: Decimal) -> Iterator[str]:
    name = PRICE_FIELDS.get(entry.type)
    price = None if name is None else getattr(entry, name)
    far = None if price is None else describe_far_price(contract_id, entry.side, entry.type, price=price, market=market)
    if far is not None:
        yield far


def _doubt_loss(trial: EntryTrial, price: Decimal) -> Iterator[str]:
    (snapshot,) = foresee(trial.connection, trial.settings, trial.account)
    if snapshot is None:
        return
    loss = trial.risk
    if loss is None:
        try:
            loss = entry_check.loss_at_stop(
                snapshot,
                trial.contract,
                trial.entry,
                quantity=trial.count_opened(),
                price=price,
                market_now=require_market(trial.connection).clock.now(),
            )
        except RefusedError:
            return  # the worker denies it
    for rule, left in list_headroom(snapshot.risk, snapshot.book, closed=trial.find_closed()):
        if loss >= left and rule != MAX_LOSS_LIMIT:  # beyond that one the worker denies it
            yield (
                f"the entry loses {dollars(loss)} at its stop, and once every open stop is hit {dollars(left)} is left "
                f"until the {rule}, at which everything is closed and nothing more is entered"
            )
