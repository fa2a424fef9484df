"""A thread that sends the answers that wait, oldest first, and removes each once Telegram has taken it."""

import logging
import threading

from sqlalchemy import Engine

from shared.bot_api import BotApi, BotApiError
from shared.db.engine import DATABASE_ERRORS
from shared.db.telegram import answers

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_PAUSE_S = 2.0  # after an error for which Telegram names no pause
_HOPELESS = {400, 403}  # no such chat, or the person has blocked the bot


class Sender:
    """Sends answers; a crash between Telegram's confirmation and the commit sends one again."""

    def __init__(self, api: BotApi, engine: Engine, stopping: threading.Event) -> None:
        self._api, self._engine, self._stopping = api, engine, stopping
        self._waiting = threading.Event()
        threading.Thread(target=self._run, name="telegram sender", daemon=True).start()

    def wake(self) -> None:
        """Say that an answer may wait."""
        self._waiting.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._waiting.wait(_LOOK_EVERY_S)
            self._waiting.clear()
            try:
                while not self._stopping.is_set() and self._send_next():
                    pass
            except BotApiError as error:
                log.warning("an answer is sent later: %s", error)
                pause = error.retry_after
                self._stopping.wait(_PAUSE_S if pause is None else pause.total_seconds())
            except DATABASE_ERRORS as error:
                log.warning("answers wait for Postgres: %s", error)
                self._stopping.wait(_PAUSE_S)
            except Exception:  # a thread that ends would be missed by no one
                log.exception("an answer was not sent")
                self._stopping.wait(_PAUSE_S)

    def _send_next(self) -> bool:
        """Send the oldest answer; return whether there was one."""
        with self._engine.begin() as connection:
            if expired := answers.remove_expired(connection):
                log.warning("%s answers were not sent in time, and are given up", expired)
            answer = answers.find_next(connection)
        if answer is None:
            return False
        try:
            self._api.send_message(answer.telegram_id, answer.text)
        except BotApiError as error:
            if error.status not in _HOPELESS:
                raise
            log.warning("an answer is given up: %s", error)
        with self._engine.begin() as connection:
            answers.remove(connection, answer.id)
        return True
