"""Checks an entry that a person typed, and submits it unless it is a dry run."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import reversals
from shared.db.orders.reversals import RecordedReversal
from shared.db.risk.entry_check import describe_finding
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.symbol import parse_symbol
from shared.domain.orders.order import Origin
from shared.domain.orders.reversal import Reversal, plan_reversal
from shared.domain.risk.personal_limits import describe_reduce_only
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.ledger.jobs.orders import EnterManually
from workers.context import Context
from workers.orders.current_state import read_root_state
from workers.orders.entry import check_entry, require_open_session, submit_entry
from workers.orders.entry_request import EntryRequest
from workers.orders.reversal import close_reversed_first
from workers.orders.reversal_close import describe_closed, require_active, require_closed
from workers.orders.reversal_size import measure_quantity
from workers.orders.sided_request import SidedRequest
from workers.task import task

_PRICES = ("limit_price", "stop_price", "trail_price", "stop_loss", "take_profit")
_NOTHING_SENT: dict[str, Any] = {
    "is_dry_run": True,
    "closes_first": 0,
    "would_send": None,
    "note": None,
    "denied": None,
    "postponed": None,
    "rules": [],
}
_NUMERAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@task(EnterManually)
def enter_manually(job: EnterManually, ctx: Context) -> dict[str, Any]:
    """Record signal, order and the end of this job in one commit, then place the order; a second run does nothing.

    A part of a position that it closes, and whose exit the venue rejects, is requested again until the job expires.
    """
    with ctx.autocommit() as connection:
        recorded = reversals.find(connection, ctx.job.id, job.account_id)
    if recorded is not None:
        return _open_rest(job, ctx, recorded)
    contract = _find_contract(ctx, job.symbol)
    request = _build_request(job, ctx, contract)
    if job.is_dry_run:
        try:
            return _preview(ctx, request)
        except PostponedError as error:
            return _NOTHING_SENT | {"postponed": str(error)}
    state = read_root_state(ctx, job.account_id, ROOTS[contract.root])
    quantity = measure_quantity(ctx, job.account_id, contract, request.entry, risk=request.risk, state=state)
    close_reversed_first(ctx, _build_sided(job, ctx, contract.id, quantity), state, recorded=None)
    require_open_session(ctx, contract)
    return submit_entry(ctx, request)


def _open_rest(job: EnterManually, ctx: Context, recorded: RecordedReversal) -> dict[str, Any]:
    """Open what a reversal leaves, once what it closes is closed, which needs no active contract."""
    sided = _build_sided(job, ctx, recorded.contract_id, recorded.closing + recorded.opening)
    closed = require_closed(ctx, sided, recorded)
    if recorded.opening == 0:
        return describe_closed(ctx, sided, closed)
    contract = _find_contract(ctx, job.symbol)
    require_active(recorded, contract.id)
    require_open_session(ctx, contract)
    return submit_entry(ctx, _build_request(job, ctx, contract).open_rest(closed))


def _build_sided(job: EnterManually, ctx: Context, contract_id: str, quantity: int) -> SidedRequest:
    return SidedRequest(ctx.job.id, job.account_id, contract_id, job.side, job.type, quantity, Origin.MANUAL)


def _preview(ctx: Context, request: EntryRequest) -> dict[str, Any]:
    """Return the order that would be sent and the rules that the entry violates; nothing is written.

    Of an entry that reverses a position it is the rest, and the rules that only the close can satisfy are not asked; in
    shadow mode, which closes nothing, it is the whole entry. Raise PostponedError for an entry that would wait.
    """
    reversal = _plan_reversal(ctx, request)
    with ctx.autocommit() as connection:
        account = accounts.get(connection, request.account_id)
        if account is None:
            raise RefusedError(f"unknown account {request.account_id}: accounts.snapshot_accounts has not seen it")
        if account.is_shadow:
            reversal = None
        if reversal is not None and reversal.opening == 0:
            return _NOTHING_SENT | {"closes_first": reversal.closing, "note": f"It closes {reversal.closing}."}
        require_open_session(ctx, request.contract)
        if reversal is not None:
            request = replace(request, entry=replace(request.entry, quantity=reversal.opening), risk=None)
        check = check_entry(connection, ctx, request, account)
    if reversal is not None:
        reduce_only = None if account.reduce_only is None else RiskLimitError(describe_reduce_only(account.reduce_only))
        check = replace(check, denial=reduce_only if check.findings else check.denial or reduce_only, findings=[])
    entry, bracket = check.entry, check.bracket
    return _NOTHING_SENT | {
        "closes_first": 0 if reversal is None else reversal.closing,
        "would_send": None
        if check.denial is not None
        else {
            "account": account.name,
            "live_orders": account.live_status(is_simulated=ctx.settings.venue.is_simulator),
            "contract_id": request.contract.id,
            "side": entry.side,
            "type": entry.type,
            "quantity": entry.quantity,
            "limit_price": entry.limit_price,
            "stop_price": entry.stop_price,
            "trail_price": entry.trail_price,
            "stop_loss_ticks": bracket.stop_loss_ticks if bracket else None,
            "take_profit_ticks": bracket.take_profit_ticks if bracket else None,
            "loss_at_stop": bracket.stop_loss_ticks * request.contract.tick_value * entry.quantity if bracket else None,
        },
        "note": check.note if reversal is None else f"It closes {reversal.closing} first; then the rules are asked.",
        "denied": None if check.denial is None else str(check.denial),
        "rules": [{"rule": finding.rule, "message": describe_finding(finding)} for finding in check.findings],
    }


def _plan_reversal(ctx: Context, request: EntryRequest) -> Reversal | None:
    contract, entry = request.contract, request.entry
    state = read_root_state(ctx, request.account_id, ROOTS[contract.root])
    quantity = measure_quantity(ctx, request.account_id, contract, entry, risk=request.risk, state=state)
    return plan_reversal(entry.side, entry.type, quantity, state.quantity(contract.id))


def _find_contract(ctx: Context, symbol: str) -> Contract:
    try:
        wanted = parse_symbol(symbol)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    with ctx.autocommit() as connection:
        contract = contracts.find_active(connection, wanted.root.name)
    if contract is None:
        raise RefusedError(f"the venue offers no single active contract of {wanted.root.name} (symbol {symbol})")
    if not wanted.names(contract.id):
        raise RefusedError(f"{symbol} is not the active contract of {wanted.root.name}: expected {contract.id}")
    return contract


def _build_request(job: EnterManually, ctx: Context, contract: Contract) -> EntryRequest:
    if (job.quantity is None) is (job.risk is None):
        raise RefusedError("an entry needs either a quantity or a risk in dollars, not both")
    prices = {name: _parse_amount(name, getattr(job, name)) for name in _PRICES}
    entry = EntryTerms(
        side=job.side,
        type=job.type,
        quantity=job.quantity or 0,
        stop_loss_ticks=job.stop_loss_ticks,
        take_profit_ticks=job.take_profit_ticks,
        breakeven_ticks=job.breakeven_ticks,
        trail_ticks=job.trail_ticks,
        **prices,
    )
    return EntryRequest(
        job.account_id,
        contract,
        entry,
        Origin.MANUAL,
        expires_at=ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl,
        reason="typed by hand",
        risk=_parse_amount("risk", job.risk),
    )


def _parse_amount(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    if not _NUMERAL.fullmatch(text) or not Decimal(text):
        raise RefusedError(f"invalid {name} {text!r}: expected a number above 0, such as 21500.25")
    return Decimal(text)
