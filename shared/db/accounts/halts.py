"""Halts of accounts: no entry, or only those that make a position smaller, until a person resumes the account."""

from sqlalchemy import ColumnElement, Connection, func, or_

from shared.db.accounts.accounts import AccountRow, change, lock_where, record_event
from shared.db.accounts.audit import PROGRAM, Actor, record_act
from shared.db.tables.accounts import account
from shared.domain.accounts.trading_state import TradingState


def halt(
    connection: Connection,
    reason: str,
    account_id: int | None = None,
    *,
    actor: Actor = PROGRAM,
    is_reduce_only: bool = False,
) -> list[int]:
    """Stop new entries on the account, or on all; with `is_reduce_only`, those that only reduce pass.

    An older halt stays and keeps its reason, but a full one replaces one that is reduce-only. Return the accounts
    whose state has changed.
    """
    is_due: ColumnElement[bool] = account.c.halted_at.is_(None)
    if not is_reduce_only:
        is_due = or_(is_due, account.c.is_reduce_only)
    state = TradingState.REDUCING if is_reduce_only else TradingState.HALTED
    kind, act = ("reducing", "reduce_only") if is_reduce_only else ("halted", "halt")
    before = lock_where(connection, is_due, account_id)
    for one in before:
        change(connection, one.id, halted_at=func.now(), halt_reason=reason, is_reduce_only=is_reduce_only)
        record_event(connection, one.id, kind, reason)
        _record_act(connection, actor, act, one, state, after=reason, reason=reason)
    return [one.id for one in before]


def resume(connection: Connection, reason: str, account_id: int | None = None, *, actor: Actor = PROGRAM) -> list[int]:
    """Allow entries again on the account, or on all. Return the accounts that were halted or reduce-only."""
    before = lock_where(connection, account.c.halted_at.is_not(None), account_id)
    for one in before:
        change(connection, one.id, halted_at=None, halt_reason=None, is_reduce_only=False)
        record_event(connection, one.id, "resumed", reason)
        _record_act(connection, actor, "resume", one, TradingState.TRADING, after=None, reason=reason)
    return [one.id for one in before]


def _record_act(
    connection: Connection,
    actor: Actor,
    act: str,
    before: AccountRow,
    state: TradingState,
    *,
    after: str | None,
    reason: str,
) -> None:
    """Record an act with the trading state of the account and the reason of its halt, before and after."""
    values = [{"state": before.state, "halt": before.halt_reason}, {"state": state, "halt": after}]
    record_act(connection, actor, act, before.id, before=values[0], after=values[1], reason=reason)
