"""The bot: handles updates one by one, in one transaction with what it leads to but for locks, and follows flattens."""

import logging
import threading

from shared.bot_api import BotApi
from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import CONNECTION_ERRORS, DATABASE_ERRORS, is_cancelled, is_rolled_back
from shared.db.telegram import bots
from shared.errors import TickworkError
from shared.heartbeat import touch, touch_waiting
from shared.ledger.ledger import Ledger
from workers.telegram import acts, flattens
from workers.telegram.limits import SenderLimits
from workers.telegram.poller import Poll, Poller
from workers.telegram.reactions import Clocks, Reaction, Reactions, give_up
from workers.telegram.sender import Sender
from workers.telegram.updates import Update

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_PAUSE_S = 2.0  # while Postgres does not answer
# After these an update is handled again, unless Postgres has certainly rolled back what it led to: those behind it must
# not wait for a lock. After others, a mistake of ours, it would lead to the same each time.
_RETRIED = (*CONNECTION_ERRORS, TickworkError)
_BUSY = "Not done, as Postgres was too busy or another session locks what it needs: send it again."


class Bot:
    """One bot of Telegram. An update is confirmed to Telegram only once it is recorded as handled."""

    def __init__(self, settings: Settings, ledger: Ledger, stopping: threading.Event) -> None:
        token = settings.telegram_token
        self._bot_id = int(token.partition(":")[0])
        self._ledger, self._stopping = ledger, stopping
        self._reactions = Reactions(settings, SenderLimits())
        self._error: str | None = None
        self._is_following = True
        self._poller = Poller(BotApi(settings.telegram_url, token), stopping)
        self._sender = Sender(BotApi(settings.telegram_url, token), ledger.engine, stopping)

    def run(self) -> None:
        """Take commands until `stopping` is set."""
        while not self._stopping.is_set():
            try:
                self._work()
            except (*DATABASE_ERRORS, TickworkError) as error:
                touch_waiting()
                log.warning("commands wait for Postgres: %s", error)
                self._stopping.wait(_PAUSE_S)

    def _work(self) -> None:
        with self._ledger.engine.begin() as connection:
            bots.record_start(connection, self._bot_id, machine_now())
        while not self._stopping.is_set():
            if self._poller.is_idle:
                self._poller.ask(self._read_offset())
            poll = self._poller.take(_LOOK_EVERY_S)
            if poll is not None:
                self._handle(poll)
            if self._is_following:
                self._follow()
            if not self._poller.is_stuck:
                touch()

    def _read_offset(self) -> int | None:
        with self._ledger.engine.begin() as connection:
            row = bots.find(connection, self._bot_id)
        return None if row is None else row.offset(machine_now())

    def _handle(self, poll: Poll) -> None:
        if poll.error != self._error:
            self._error = poll.error
            if poll.error is None:
                log.info("Telegram answers again")
            else:
                log.warning("no commands are taken: %s", poll.error)
        with self._ledger.engine.begin() as connection:  # before /status is answered, which shows it
            bots.record_poll(connection, self._bot_id, machine_now(), poll.error)
        for update in poll.updates:
            touch()
            self._handle_update(update, Clocks(machine_now(), poll.server_at))

    def _handle_update(self, update: Update, clocks: Clocks) -> None:
        done = None
        try:
            done = self._react(update, clocks)
        except _RETRIED as error:
            if not (is_rolled_back(error) or is_cancelled(error)):
                raise
            log.warning("update %s is given up: %s", update.id, error)
            self._skip(update, clocks, _BUSY)
        except Exception:
            log.exception("update %s is skipped after an error", update.id)
            self._skip(update, clocks, "Not done, after an error of Tickwork: act at the computer.")
        self._is_following = True
        self._sender.wake()
        if done is not None and done.act is not None and done.locked:
            acts.finish(self._ledger, done.act, done.locked)
            self._sender.wake()

    def _react(self, update: Update, clocks: Clocks) -> Reaction | None:
        """Return what an update led to, once that is committed; None for one that was handled before."""
        with self._ledger.transaction() as tx:
            if bots.lock(tx.connection, self._bot_id).has_handled(update.id, clocks.now):
                return None
            done = self._reactions.react(tx, update, clocks)
            bots.record_update(tx.connection, self._bot_id, update.id, clocks.now, is_ignored=not done.is_answered)
        return done

    def _skip(self, update: Update, clocks: Clocks, said: str) -> None:
        """Record an update as handled that leads to an error: those behind it must not wait for ever."""
        with self._ledger.transaction() as tx:
            bots.lock(tx.connection, self._bot_id)
            bots.record_update(tx.connection, self._bot_id, update.id, clocks.now, is_ignored=True)
            give_up(tx, update, said)

    def _follow(self) -> None:
        with self._ledger.engine.begin() as connection:
            self._is_following = flattens.tell_ended(connection, machine_now())
        self._sender.wake()
