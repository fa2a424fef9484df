"""Halt and flatten as the bot does them: what each would do, and the act itself, once a code has confirmed it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts, halts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor
from shared.db.accounts.installations import find_other
from shared.db.engine import DATABASE_ERRORS, LOCK_TIMEOUT_S, is_rolled_back, limit_lock_wait
from shared.db.market_data import market_clock
from shared.db.telegram import answers, followed_flattens
from shared.domain.accounts.account_name import shorten_account
from shared.errors import RefusedError
from shared.ledger.flattening import request_flatten
from shared.ledger.ledger import Ledger, Transaction
from shared.overview.comparison import describe_uncompared
from shared.overview.holdings import describe_holdings, split_closable

FOLLOWED_FOR = timedelta(seconds=120)
# What is done in a transaction keeps its locks until it ends, so no account is waited for before that.
_LOCK_WAIT = timedelta(milliseconds=50)
_MOST = timedelta(seconds=2)  # for all accounts; of sessions that lock one in turn each has it for milliseconds


@dataclass(frozen=True, slots=True)
class Act:
    """A halt with its reason, or a flatten (None), that a person has confirmed with a code."""

    actor: Actor
    telegram_id: int
    halt_reason: str | None


@dataclass(frozen=True, slots=True)
class _Done:
    """Accounts that were halted, or are to be flattened, by requests; that were halted before; that are locked."""

    new: list[AccountRow] = field(default_factory=list)
    request_ids: list[UUID] = field(default_factory=list)
    old: list[AccountRow] = field(default_factory=list)
    locked: list[AccountRow] = field(default_factory=list)


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


def begin(tx: Transaction, act: Act) -> Sequence[AccountRow]:
    """Do it in this transaction, with an answer, for all accounts but those that another session locks; return those.

    Raise RefusedError where nothing may be done.
    """
    chosen = _list_accounts(tx.connection) if act.halt_reason is not None else _split(tx.connection)[0]
    until = monotonic() + _MOST.total_seconds()
    done = _Done()
    for one in chosen:
        if monotonic() >= until:
            done.locked.append(one)
            continue
        with _note_lock(one, done), tx.connection.begin_nested():  # so that a lock on one undoes nothing of the others
            _do_one(tx, act, one, _LOCK_WAIT, done)
    limit_lock_wait(tx.connection, timedelta(seconds=LOCK_TIMEOUT_S))
    _answer(tx, act, done, is_last=False)
    return done.locked


def finish(ledger: Ledger, act: Act, locked: Sequence[AccountRow]) -> None:
    """Try the accounts that were locked again, each in a transaction of its own, for 2 s in all, and answer.

    Each is waited for its share of the time that is left. If this process ends meanwhile, what is done stays done, and
    no answer tells of it.
    """
    until = monotonic() + _MOST.total_seconds()
    done = _Done()
    for number, one in enumerate(locked):
        share = timedelta(seconds=(until - monotonic()) / (len(locked) - number))
        with _note_lock(one, done), ledger.transaction() as tx:
            _do_one(tx, act, one, max(share, _LOCK_WAIT), done)
    with ledger.transaction() as tx:
        _answer(tx, act, done, is_last=True)


@contextmanager
def _note_lock(one: AccountRow, done: _Done) -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        if not is_rolled_back(error):
            raise
        done.locked.append(one)


def _do_one(tx: Transaction, act: Act, one: AccountRow, wait: timedelta, done: _Done) -> None:
    limit_lock_wait(tx.connection, wait)
    if act.halt_reason is None:
        request_id, _ = request_flatten(tx, one, None, "by Telegram", act.actor)
        done.new.append(one)
        done.request_ids.append(request_id)
    elif halts.halt(tx.connection, act.halt_reason, one.id, actor=act.actor):
        done.new.append(one)
    else:
        done.old.append(one)


def _answer(tx: Transaction, act: Act, done: _Done, *, is_last: bool) -> None:
    """Store an answer that names what is not done first, and let the flattens be followed."""
    is_flatten = act.halt_reason is None
    command, what = ("/flatten", "requested") if is_flatten else ("/halt", "halted")
    lines = []
    if done.locked and is_last:
        lines.append(f"NOT {what}, as another session locks it: {_list_names(done.locked)}. Send {command} again")
    elif done.locked:
        lines.append(f"NOT {what} yet, as another session locks it: {_list_names(done.locked)}")
        lines.append(f"That is tried again now: without another answer send {command} again")
    if done.new and is_flatten:
        lines.append(f"Flatten requested: {_list_names(done.new)}. You are told when the venue confirms flat")
        followed_flattens.add(tx.connection, act.telegram_id, done.request_ids, machine_now() + FOLLOWED_FOR)
    elif done.new:
        lines.append(f"HALTED: {_list_names(done.new)}")
    if done.old:
        lines.append(f"Was halted before, which stays: {_list_names(done.old)}")
    if not is_flatten:
        lines.append("Positions stay open. `tickwork resume REASON` at the computer allows entries again")
    answers.add(tx.connection, act.telegram_id, ".\n".join(lines) + ".")


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
