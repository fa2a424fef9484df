"""Halt and flatten as the bot does them: what each would do, and the act itself, once a code has confirmed it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts, halts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor
from shared.db.accounts.installations import find_other
from shared.db.engine import DATABASE_ERRORS, LOCK_TIMEOUT_S, is_rolled_back, limit_lock_wait
from shared.db.market_data import market_clock
from shared.db.telegram import followed_flattens
from shared.domain.accounts.account_name import shorten_account
from shared.errors import RefusedError
from shared.ledger.flattening import request_flatten
from shared.ledger.ledger import Transaction
from shared.overview.comparison import describe_uncompared
from shared.overview.holdings import describe_holdings, split_closable

FOLLOWED_FOR = timedelta(seconds=120)
# What is done already keeps its locks until the transaction ends, so no account is waited for before all were tried.
_LOCK_WAIT = timedelta(milliseconds=50)
_MOST = timedelta(seconds=2)  # for all accounts; of sessions that lock one in turn each has it for milliseconds


def describe_halt(connection: Connection) -> Sequence[str]:
    """Return what a halt would do now, in lines; raise RefusedError without an account."""
    return [f"Halt stops new entries of {_list_names(_list_accounts(connection))}. Positions stay open, exits pass."]


def describe_flatten(connection: Connection) -> Sequence[str]:
    """Return what a flatten would do now, in lines; raise RefusedError where there is nothing that may be closed."""
    chosen, left = _split(connection)
    market_now = market_clock.require(connection).clock.now()
    lines = [
        f"Another installation of Tickwork trades {shorten_account(one.name)} too: two closes at once can reverse a "
        "position."
        for one in chosen
        if find_other(one, market_now) is not None
    ]
    if left:
        lines.append(f"Skipped, because live orders were never on: {_list_names(left)}.")
    return [
        f"Flatten closes everything of {_list_names(chosen)}.",
        *lines,
        *(_describe_known(connection, one) for one in chosen),
    ]


def _describe_known(connection: Connection, one: AccountRow) -> str:
    uncompared = describe_uncompared(one, machine_now())
    doubt = "" if uncompared is None else f", but {uncompared}"
    return f"{describe_holdings(connection, [one], None)}{doubt}."


def halt(tx: Transaction, actor: Actor, reason: str) -> str:
    """Halt all accounts in this transaction, but for those that a session locks for long; return what was done."""
    new: list[AccountRow] = []
    old: list[AccountRow] = []

    def halt_one(one: AccountRow) -> None:
        is_new = bool(halts.halt(tx.connection, reason, one.id, actor=actor))
        (new if is_new else old).append(one)

    locked = _visit(tx, _list_accounts(tx.connection), halt_one)
    lines = [f"NOT halted, as another session locks it: {_list_names(locked)}. Send /halt again"] if locked else []
    lines += [f"HALTED: {_list_names(new)}"] if new else []
    lines += [f"Was halted before, which stays: {_list_names(old)}"] if old else []
    return ".\n".join([*lines, "Positions stay open. `tickwork resume REASON` at the computer allows entries again."])


def flatten(tx: Transaction, actor: Actor, telegram_id: int, now: datetime) -> str:
    """Request a flatten of all accounts in this transaction, to be followed; return what was done.

    An account that another session locks for long is left out.
    """
    chosen, _ = _split(tx.connection)
    requested: dict[int, UUID] = {}

    def request(one: AccountRow) -> None:
        requested[one.id], _ = request_flatten(tx, one, None, "by Telegram", actor)

    locked = _visit(tx, chosen, request)
    if requested:
        followed_flattens.add(tx.connection, telegram_id, list(requested.values()), now + FOLLOWED_FOR)
    done = [one for one in chosen if one.id in requested]
    lines = (
        [f"NOT requested, as another session locks it: {_list_names(locked)}. Send /flatten again"] if locked else []
    )
    lines += [f"Flatten requested: {_list_names(done)}. You are told when the venue confirms flat"] if done else []
    return ".\n".join(lines) + "."


def _visit(tx: Transaction, chosen: Sequence[AccountRow], act: Callable[[AccountRow], None]) -> list[AccountRow]:
    """Act on each account, try those that are locked again, and return those that are left when the time is over.

    The second wait for each is its share of the time that is left.
    """
    until = monotonic() + _MOST.total_seconds()
    locked = [one for one in chosen if not _act_unless_locked(tx, one, act, _LOCK_WAIT, until)]
    left = []
    for number, one in enumerate(locked):
        share = timedelta(seconds=(until - monotonic()) / (len(locked) - number))
        if not _act_unless_locked(tx, one, act, max(share, _LOCK_WAIT), until):
            left.append(one)
    limit_lock_wait(tx.connection, timedelta(seconds=LOCK_TIMEOUT_S))
    return left


def _act_unless_locked(
    tx: Transaction, one: AccountRow, act: Callable[[AccountRow], None], wait: timedelta, until: float
) -> bool:
    if monotonic() >= until:
        return False
    try:
        with tx.connection.begin_nested():  # so that a lock on one undoes nothing of the others
            limit_lock_wait(tx.connection, wait)
            act(one)
    except DATABASE_ERRORS as error:
        if not is_rolled_back(error):
            raise
        return False
    return True


def _list_accounts(connection: Connection) -> list[AccountRow]:
    found = accounts.list_all(connection)
    if not found:
        raise RefusedError("no account is known yet")
    return found


def _split(connection: Connection) -> tuple[Sequence[AccountRow], Sequence[AccountRow]]:
    is_simulated = market_clock.require(connection).kind != "live"
    chosen, left = split_closable(_list_accounts(connection), is_simulated=is_simulated)
    if not chosen:
        raise RefusedError(f"live orders of {_list_names(left)} were never on, so nothing may be closed")
    return chosen, left


def _list_names(known: Sequence[AccountRow]) -> str:
    return ", ".join(shorten_account(one.name) for one in known)
