"""A thread that asks Telegram for updates, one request at a time, and pauses after errors."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, Queue
from random import SystemRandom

from shared.bot_api import MOST_UPDATES, AnswerTooLongError, BotApi, BotApiError
from shared.clock import monotonic
from workers.telegram.updates import Update, parse_update

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STUCK_AFTER_S = 120.0  # a request ends much earlier, whatever the network does
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT = 401, 404, 409
_HINTS = {
    _UNAUTHORIZED: "the token is refused: `tickwork telegram setup` takes the one that @BotFather shows",
    _NOT_FOUND: "the token is unknown: `tickwork telegram setup` takes the one that @BotFather shows",
    _CONFLICT: "another program asks for the updates of this bot, or it has a webhook: only one program may. End the "
    "other one, or, if you know of none, revoke the token at @BotFather and set the new one",
}
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Poll:
    """What one request brought: updates and the time of Telegram's clock, or an error."""

    updates: tuple[Update, ...] = ()
    server_at: datetime | None = None
    error: str | None = None


class Poller:
    """Polls in a thread, so that a slow network keeps this program from nothing else."""

    def __init__(self, api: BotApi, stopping: threading.Event) -> None:
        self._api, self._stopping = api, stopping
        self._offsets: Queue[int | None] = Queue()
        self._polls: Queue[Poll] = Queue()
        self._failed_in_row = 0
        self._limit = MOST_UPDATES
        self._began: float | None = None  # the request that is under way
        self._is_asked = False
        threading.Thread(target=self._run, name="telegram poller", daemon=True).start()

    @property
    def is_stuck(self) -> bool:
        """Whether a request has not ended for so long that only a new process helps."""
        began = self._began
        return began is not None and monotonic() - began > _STUCK_AFTER_S

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, and none has brought what was not taken yet."""
        return not self._is_asked

    def ask(self, offset: int | None) -> None:
        """Ask for the updates from `offset` on."""
        self._is_asked = True
        self._offsets.put(offset)

    def take(self, wait_s: float) -> Poll | None:
        """Return what the request brought, waiting for it so long; None if it is under way."""
        try:
            found = self._polls.get(timeout=wait_s)
        except Empty:
            return None
        self._is_asked = False
        return found

    def _run(self) -> None:
        while not self._stopping.is_set():
            offset = self._offsets.get()
            self._began = monotonic()
            try:
                poll, pause_s = self._poll(offset), 0.0
            except AnswerTooLongError as error:
                poll, pause_s = Poll(error=str(error)), self._ask_for_fewer(error)
            except BotApiError as error:
                poll, pause_s = Poll(error=_describe(error)), self._choose_pause(error)
            except Exception as error:  # a thread that ends would be missed by no one
                log.exception("a request to Telegram failed")
                poll, pause_s = Poll(error=type(error).__name__), _LONGEST_PAUSE_S
            self._began = None
            self._polls.put(poll)
            self._stopping.wait(pause_s)

    def _poll(self, offset: int | None) -> Poll:
        found = self._api.get_updates(offset, self._limit)
        updates = tuple(update for raw in found.updates if (update := parse_update(raw)) is not None)
        if found.updates and not updates:  # it would bring the same at once, again and again
            raise BotApiError("Telegram answered with updates that have no number")
        self._failed_in_row = 0
        self._limit = min(2 * self._limit, MOST_UPDATES)
        return Poll(updates, found.server_at)

    def _ask_for_fewer(self, error: AnswerTooLongError) -> float:
        """Halve how many updates are asked for, and return the pause before that: none as long as that may help."""
        if self._limit == 1:
            return self._choose_pause(error)
        self._limit //= 2
        return 0.0

    def _choose_pause(self, error: BotApiError) -> float:
        """Return the pause after an error, in seconds: what Telegram asks for, or one that doubles, with jitter."""
        self._failed_in_row += 1
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * (1 << min(self._failed_in_row - 1, 10)))
        pause_s = longest * _random.uniform(0.5, 1)
        return pause_s if error.retry_after is None else max(pause_s, error.retry_after.total_seconds())


def _describe(error: BotApiError) -> str:
    hint = _HINTS.get(error.status or 0)
    return f"{str(error).rstrip('.')}: {hint}" if hint else str(error)
