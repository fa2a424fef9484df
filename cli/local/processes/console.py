"""The lines of `up` about what matters: programs that come and go, and what happens to alerts, orders and accounts."""

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from cli.console.escape import escape_text
from cli.local.processes.background import Background
from cli.local.processes.supervisor import Child, ChildState
from shared.db.engine import DATABASE_ERRORS
from shared.db.recent_events import RecentEvent, RecentEvents
from shared.domain.market_data.contract_text import shorten_contracts

_EVERY_S = 1.0


class ProgramWatch:
    """Says when a program is ready, and when it no longer answers; the supervisor itself says how one ended."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._states: dict[str, ChildState] = {}

    def report(self, children: Sequence[Child]) -> None:
        """Say what has changed since the last call."""
        for child in children:
            name, state = child.program.name, child.state
            before = self._states.get(name)
            if state is ChildState.RUNNING and before is not ChildState.RUNNING:
                self._say(f"{name} is ready" + (" again" if child.restarts else ""))
            elif state is ChildState.UNRESPONSIVE and before is not ChildState.UNRESPONSIVE:
                self._say(f"{name} does not answer")
            self._states[name] = state


class EventWatch(Background):
    """Reads the events of the database from its start on, and says each in a line; the last ones as it is closed."""

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self._say = say
        self._engine = engine
        super().__init__("events")

    def _run(self) -> None:
        events = RecentEvents()
        while not self._is_ending.wait(_EVERY_S):
            self._say_new(events)
        self._say_new(events)

    def _say_new(self, events: RecentEvents) -> None:
        try:
            with self._engine.connect() as connection:
                found = events.read_new(connection)
        except DATABASE_ERRORS:  # the supervisor says that Postgres has ended; what happens meanwhile is read later
            return
        for one in found:
            self._say(_describe(one))


def _describe(event: RecentEvent) -> str:
    line = escape_text(shorten_contracts(" ".join(event.line.split())))
    return f"{event.at:%H:%M:%S} UTC  {event.kind.replace('_', ' '):<8}  {line}"
