"""The steps of a practice order: the checks before it, the entry with its bracket, and its close."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID

import click

from cli.client.fill_wait import wait_for_fills
from cli.client.flatten import request_and_wait
from cli.client.job_client import JobClient
from cli.client.live_checks import CheckWarningError, check_account, check_brackets, check_clock, check_contract
from cli.client.live_switch import confirm_live, switch_live
from cli.client.locks import end_blocking_sessions
from cli.client.lookup import resolve_active_contract
from shared.clock import monotonic
from shared.db import views
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.engine import DATABASE_ERRORS
from shared.db.market_data import market_clock
from shared.db.orders import orders, positions
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.bracket_setting import TO_DO, names_bracket_setting
from shared.domain.orders.order import OrderState, OrderType, Role, Side
from shared.domain.risk.preconditions import check_session
from shared.errors import RefusedError, SettingsError
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import EnterManually
from shared.overview.holdings import describe_holdings

STOP_TICKS = TARGET_TICKS = 40
_POLL_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class PracticeStep:
    """One step: `run` returns what it found, or raises with what is wrong and what to do."""

    name: str
    run: Callable[[], str]


class PracticeOrder:
    """A market order for one contract of `root` on an account, and what it opened."""

    def __init__(self, client: JobClient, account: AccountRow, root: str, wait_s: float, *, is_simulated: bool) -> None:
        self._client, self._account, self._root, self._wait_s = client, account, root, wait_s
        self._is_simulated = is_simulated
        self._order_id: UUID | None = None
        self._contract_id: str | None = None

    def checks(self, *, asks: bool) -> Iterator[PracticeStep]:
        """Yield the steps before the order; none sends an order, and the last may turn live orders on."""
        yield PracticeStep("credentials", self._check_credentials)
        yield PracticeStep("account", self._check_account)
        if not self._is_simulated:
            yield PracticeStep("clock", partial(check_clock, self._client.settings.venue.url))
        yield PracticeStep("session", self._check_session)
        yield PracticeStep("position", self._check_position)
        if not self._is_simulated:
            yield PracticeStep("brackets", self._check_brackets)
        yield PracticeStep("live orders", partial(self._check_live, asks=asks))

    def entry(self) -> Iterator[PracticeStep]:
        """Yield the steps of the entry: its fill, and its bracket at the venue."""
        yield PracticeStep("entry", self._enter)
        yield PracticeStep("stop", partial(self._find_leg, Role.STOP_LOSS))
        yield PracticeStep("target", partial(self._find_leg, Role.TAKE_PROFIT))

    def check_again(self) -> PracticeStep:
        """Return the step that looks once more for what is held: a person may have taken long to answer.

        If it fails nothing is to be closed: nothing that is there was opened by the practice order.
        """
        return PracticeStep("position", self._check_position)

    def close(self) -> PracticeStep:
        """Return the step that closes the contract until the venue confirms flat; it may run whatever happened."""
        return PracticeStep("close", self._close)

    def _check_credentials(self) -> str:
        with self._client.transaction() as tx:
            job_id = tx.enqueue(SnapshotAccounts()).job_id
        outcomes = self._client.wait([job_id], self._wait_s, quiet=True)
        outcomes.require_success()
        return f"the venue lists {count_of(outcomes.result(job_id).get('accounts', 0), 'account')}"

    def _check_account(self) -> str:
        row = self._read_account()
        with self._client.connect() as connection:
            market = market_clock.read(connection)
        read_only = None if market is None else describe_read_only(row, market.clock.now())
        if read_only is not None or row.halt is not None:
            raise RefusedError(
                read_only or f"{row.name} is halted: {row.halt}; `tickwork resume REASON --account {row.id}`"
            )
        return check_account(row)

    def _check_session(self) -> str:
        with self._client.connect() as connection:
            found, contract, market = (
                check_contract(connection, self._root),
                resolve_active_contract(connection, self._root),
                market_clock.read(connection),
            )
        if market is not None:
            check_session(calendar_of(ROOTS[self._root].group), contract, market.clock.now(), speed=market.clock.speed)
        return found

    def _check_position(self) -> str:
        contract = self._find_contract()
        self._contract_id = contract.id  # a roll meanwhile changes neither the entry nor what is closed
        with self._client.connect() as connection:
            is_held = positions.quantity_of(connection, self._account.id, contract.id) != 0
            if is_held or orders.list_open_in_contract(connection, self._account.id, contract.id):
                found = describe_holdings(connection, [self._account], [contract.id])
                raise RefusedError(
                    f"{found}: the practice order would be closed with it, so close it first, with `tickwork positions "
                    f"close {self._root} --account {self._account.id}`"
                )
        return f"nothing of {contract.id} is held or rests"

    def _check_brackets(self) -> str:
        with self._client.connect() as connection:
            try:
                return check_brackets(connection, self._account)
            except SettingsError as error:  # of an earlier entry: this one shows how it is now
                raise CheckWarningError(str(error)) from None

    def _check_live(self, *, asks: bool) -> str:
        row = self._read_account()
        if self._is_simulated:
            return "the simulator needs none"
        if row.live_orders:
            return f"on since {row.live_since_at:%Y-%m-%d %H:%M} UTC" if row.live_since_at else "on"
        if asks:
            click.echo(f"Live orders of {row.name} are off: the practice order needs them.")
        confirm_live(row, None, as_json=not asks)
        switch_live(row, "on", reason="tickwork setup live")
        return "turned on"

    def _enter(self) -> str:
        contract_id = self._contract_id or self._find_contract().id
        request = EnterManually(
            account_id=self._account.id,
            symbol=contract_id,
            side=Side.BUY,
            type=OrderType.MARKET,
            quantity=1,
            stop_loss_ticks=STOP_TICKS,
            take_profit_ticks=TARGET_TICKS,
        )
        with self._client.transaction() as tx:
            job_id = tx.enqueue(request, expires_after=self._client.settings.entry_ttl).job_id
        outcomes = self._client.wait([job_id], self._wait_s, quiet=True)
        order_id = outcomes.result(job_id).get("order_id")
        if order_id is None:
            outcomes.require_success()
            raise RefusedError("the entry was not recorded: `tickwork orders` shows the orders")
        self._order_id = UUID(order_id)
        wait_for_fills(self._client, [self._order_id], self._wait_s, with_legs=False)
        order = self._read_order()["order"][0]
        if order["state"] != OrderState.FILLED:
            raise RefusedError(_describe_unfilled(order))
        return (
            f"bought 1 {shorten_contract(contract_id)} at {format_price_of(contract_id, order['average_fill_price'])}"
        )

    def _find_leg(self, role: Role) -> str:
        pause, began = Event(), monotonic()
        while True:
            legs = [leg for leg in self._read_order()["legs"] if leg["role"] == role]
            working = next((leg for leg in legs if leg["state"] == OrderState.WORKING), None)
            if working is not None:
                price = working["stop_price"] if role is Role.STOP_LOSS else working["limit_price"]
                at = format_price_of(working["contract_id"], price)
                return f"works at the venue at {at}, order {working['venue_order_id']}"
            ended = next((leg for leg in legs if leg["state"] == OrderState.FILLED), None)
            if ended is not None:
                return "has filled already"
            if monotonic() - began > self._wait_s:
                states = ", ".join(leg["state"] for leg in legs) or "none was reported"
                raise RefusedError(f"does not work at the venue ({states}); {TO_DO}")
            pause.wait(_POLL_EVERY_S)

    def _close(self) -> str:
        contract_ids = None if self._contract_id is None else [self._contract_id]
        try:
            with end_blocking_sessions("the practice order is not confirmed closed"):
                request_and_wait(
                    self._client, [self._account], contract_ids, "tickwork setup live", self._wait_s, quiet=True
                ).require_flat()
        except BaseException:
            left = "unknown, as the database does not answer"
            with suppress(*DATABASE_ERRORS), self._client.connect() as connection:
                left = describe_holdings(connection, [self._account], contract_ids)
            click.echo(
                f"NOT CONFIRMED FLAT. Open as far as known: {left}. Run `tickwork flatten --account "
                f"{self._account.id}`, and look at the venue's own screen.",
                err=True,
            )
            raise
        of = "" if self._contract_id is None else f" of {shorten_contract(self._contract_id)}"
        return f"flat: the venue confirms no position and no working order{of}"

    def _find_contract(self) -> Contract:
        with self._client.connect() as connection:
            return resolve_active_contract(connection, self._root)

    def _read_account(self) -> AccountRow:
        with self._client.connect() as connection:
            return accounts.get(connection, self._account.id) or self._account

    def _read_order(self) -> dict[str, list[dict[str, Any]]]:
        if self._order_id is None:
            raise RefusedError("no order was placed")
        with self._client.connect() as connection:
            return views.read_order(connection, self._order_id)


def _describe_unfilled(order: dict[str, Any]) -> str:
    """Return why the entry is not filled, and what to do about the reason that is silent otherwise."""
    reason = order["reason"]
    if names_bracket_setting(reason):
        return f"the venue rejected its bracket ({reason}): {TO_DO}; then run this again"
    return f"the order is {order['state']}: {reason or 'no reason was given'}"
