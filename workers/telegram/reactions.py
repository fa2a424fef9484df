"""What an update leads to, in the transaction that records it as handled: an answer, an act, or nothing."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor, record_act
from shared.db.telegram import answers, users
from shared.db.telegram.users import TelegramUser
from shared.errors import TickworkError
from shared.ledger.ledger import Transaction
from workers.telegram import acts
from workers.telegram.acts import Act
from workers.telegram.codes import find_lock, find_step
from workers.telegram.commands import HELP, Command, CommandKind, parse_command
from workers.telegram.limits import SenderLimits
from workers.telegram.message_text import fit_lines
from workers.telegram.status import describe_status
from workers.telegram.updates import TypedMessage, Update

CODE_WITHIN = timedelta(seconds=60)
_TOO_OLD_AFTER = timedelta(seconds=60)
_CONFIRMED = {CommandKind.HALT, CommandKind.FLATTEN}
_SKEW_FROM = timedelta(seconds=20)  # at which a right code may count as a wrong one


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time of this computer, and that of Telegram, if it said so, at one instant."""

    now: datetime
    server_at: datetime | None = None

    @property
    def latest(self) -> datetime:
        """The later of both, by which a message is not taken for a fresh one while a clock is behind."""
        return self.now if self.server_at is None else max(self.now, self.server_at)

    @property
    def skew(self) -> timedelta:
        """By how much this computer's clock is ahead of Telegram's; below zero: behind."""
        return timedelta(0) if self.server_at is None else self.now - self.server_at


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an update led to: whether it was answered, and accounts that were locked, on which its act is left."""

    is_answered: bool
    act: Act | None = None
    locked: Sequence[AccountRow] = ()


_IGNORED, _ANSWERED = Reaction(is_answered=False), Reaction(is_answered=True)


@dataclass(frozen=True, slots=True)
class Reactions:
    """Reacts to updates one by one."""

    settings: Settings
    limits: SenderLimits

    def react(self, tx: Transaction, update: Update, clocks: Clocks) -> Reaction:
        """Do what an update asks for, but for what is locked; one may be ignored without an answer."""
        message = update.message
        if message is None:
            self._audit_ignored(tx, update, update.ignored, clocks.now)
            return _IGNORED
        user = users.lock_by_telegram_id(tx.connection, message.telegram_id)
        if user is None:
            is_paired = _is_fresh(message, clocks) and _pair(tx, message, clocks.now)
            if not is_paired:
                self._audit_ignored(tx, update, "unknown user", clocks.now)
            return Reaction(is_answered=is_paired)
        _forget_former(tx, user, message)
        is_fresh = _is_fresh(message, clocks)
        # What was sent while the computer was off must not use up what may be sent now.
        if not self.limits.may_command(user.name if is_fresh else f"{user.name}, too old", clocks.now):
            return _IGNORED
        if not is_fresh:
            if not answers.is_waiting(tx.connection, message.telegram_id):  # one is enough for a heap of them
                answers.add(tx.connection, message.telegram_id, _describe_age(message, clocks))
            return _ANSWERED
        try:
            said = self._obey(tx, user, message, clocks)
            if isinstance(said, Act):
                return Reaction(is_answered=True, act=said, locked=acts.begin(tx, said))
        except TickworkError as error:
            said = f"Not done: {error}"
        answers.add(tx.connection, message.telegram_id, said)
        return _ANSWERED

    def _obey(self, tx: Transaction, user: TelegramUser, message: TypedMessage, clocks: Clocks) -> str | Act:
        """Do what a user's message says, and return the answer, or the act that a right code confirms."""
        command = parse_command(message.text)
        match command.kind:
            case CommandKind.STATUS:
                return describe_status(tx.connection, self.settings)
            case CommandKind.HALT | CommandKind.FLATTEN:
                return _prepare(tx, user, command, clocks.now)
            case CommandKind.CODE:
                return _confirm(tx, user, message, command.rest, clocks)
            case CommandKind.CANCEL:
                users.clear_pending(tx.connection, user.name)
                return "Forgotten: nothing waits for a code." if user.pending_act else "Nothing waits for a code."
            case CommandKind.START:
                return f"You are {user.name}.\n{HELP}"
        return HELP

    def _audit_ignored(self, tx: Transaction, update: Update, reason: str, now: datetime) -> None:
        if self.limits.may_audit(update.telegram_id, now):
            who = "unknown" if update.telegram_id is None else str(update.telegram_id)
            actor = Actor(f"telegram account {who}", "Telegram")
            record_act(tx.connection, actor, "telegram_ignored", None, before={}, after={"why": reason}, reason=None)


def give_up(tx: Transaction, update: Update, said: str) -> None:
    """Tell a user why a message was not obeyed; what waited for a code before a new halt or flatten waits no more."""
    message = update.message
    user = None if message is None else users.find_by_telegram_id(tx.connection, message.telegram_id)
    if message is not None and user is not None:
        _forget_former(tx, user, message)
        answers.add(tx.connection, message.telegram_id, said)


def _forget_former(tx: Transaction, user: TelegramUser, message: TypedMessage) -> None:
    """Let nothing wait for a code once a new halt or flatten is asked for: its code must not do the former one."""
    if user.pending_act is not None and parse_command(message.text).kind in _CONFIRMED:
        users.clear_pending(tx.connection, user.name)


def _is_fresh(message: TypedMessage, clocks: Clocks) -> bool:
    return abs(clocks.latest - message.sent_at) <= _TOO_OLD_AFTER


def _describe_age(message: TypedMessage, clocks: Clocks) -> str:
    age_s = (clocks.latest - message.sent_at).total_seconds()
    if age_s > 0:
        return f"Too old: your message came {age_s:.0f} s after it was sent, so nothing was done. Send it again."
    return (
        f"The clock of Tickwork's computer is {-age_s:.0f} s behind, so nothing was done: set it, then send it again."
    )


def _pair(tx: Transaction, message: TypedMessage, now: datetime) -> bool:
    """Pair the sender if the message is `/start` with a pairing code; return whether it was."""
    command = parse_command(message.text)
    if command.kind is not CommandKind.START or not command.rest:
        return False
    user = users.lock_by_pairing_hash(tx.connection, users.hash_pairing_code(command.rest), now)
    if user is None:
        return False
    users.pair(tx.connection, user.name, message.telegram_id, now)
    actor, after = _actor(user.name, message.telegram_id), {"name": user.name, "telegram_id": message.telegram_id}
    record_act(tx.connection, actor, "telegram_pair", None, before={}, after=after, reason=None)
    answers.add(tx.connection, message.telegram_id, f"Paired: you are {user.name}.\n{HELP}")
    return True


def _prepare(tx: Transaction, user: TelegramUser, command: Command, now: datetime) -> str:
    """Let a halt or flatten wait for a code; return what it would do."""
    if user.is_locked(now):
        return _describe_lock(user.locked_until_at)
    is_halt = command.kind is CommandKind.HALT
    reason = (command.rest or "by Telegram") if is_halt else None
    would = acts.describe_halt(tx.connection) if is_halt else acts.describe_flatten(tx.connection)
    users.set_pending(tx.connection, user.name, command.kind, reason, now + CODE_WITHIN)
    seconds = int(CODE_WITHIN.total_seconds())
    return fit_lines(would, "`tickwork positions`", f"Send your 6-digit code within {seconds} s, or /cancel.")


def _confirm(tx: Transaction, user: TelegramUser, message: TypedMessage, code: str, clocks: Clocks) -> str | Act:
    """Return the act that waits for a code if this one is right, else the answer; without one, no code is looked at."""
    now = clocks.now
    if user.is_locked(now):
        return _describe_lock(user.locked_until_at)
    if user.pending_act is None or user.pending_until_at is None:
        return f"Nothing waits for a code.\n{HELP}"
    if now > user.pending_until_at:
        users.clear_pending(tx.connection, user.name)
        return f"Too late: nothing was done. Send /{user.pending_act} again."
    # Also when it was sent, which is a minute ago at most: on a slow way the app shows other codes meanwhile.
    step = find_step(user.totp_secret, code, (now, message.sent_at), user.used_step)
    if step is None:
        return _refuse_code(tx, user, message.telegram_id, clocks)
    users.record_right_code(tx.connection, user.name, step)
    actor = _actor(user.name, message.telegram_id)
    reason = (user.pending_reason or "by Telegram") if user.pending_act == CommandKind.HALT else None
    return Act(actor, message.telegram_id, reason)


def _refuse_code(tx: Transaction, user: TelegramUser, telegram_id: int, clocks: Clocks) -> str:
    failed = user.failed_count + 1
    until = find_lock(failed, clocks.now)
    users.record_wrong_code(tx.connection, user.name, failed, until)
    if until is None:
        skew_s = clocks.skew.total_seconds()
        is_off = abs(clocks.skew) >= _SKEW_FROM
        hint = f" The clock of Tickwork's computer is {abs(skew_s):.0f} s off: set it." if is_off else ""
        return f"Wrong code, or one that was used: nothing was done.{hint} Send the next one, or /cancel."
    users.clear_pending(tx.connection, user.name)
    after = {"name": user.name, "wrong_codes": failed, "until": until}
    record_act(
        tx.connection, _actor(user.name, telegram_id), "telegram_lock", None, before={}, after=after, reason=None
    )
    for other in users.list_all(tx.connection):
        if other.telegram_id is not None and other.telegram_id != telegram_id:
            answers.add(tx.connection, other.telegram_id, f"{user.name} has sent {failed} wrong codes and is locked.")
    return f"{failed} wrong codes. {_describe_lock(until)}"


def _describe_lock(until: datetime | None) -> str:
    return f"Locked until {until:%Y-%m-%d %H:%M} UTC after wrong codes. Halt and flatten at the computer."


def _actor(name: str, telegram_id: int) -> Actor:
    return Actor(f"telegram:{name}", f"Telegram account {telegram_id} by {platform.node()}")
