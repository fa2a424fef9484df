"""A market that replays a recorded file of one-minute bars, at the dates of the file."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import CHICAGO, Session, assumed_calendar_of
from shared.domain.market_data.contract import MONTHS, ROOTS, Contract, Root
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.holidays import require_covered
from shared.errors import OutsideCalendarError, SettingsError
from simulator.market.listing import make_contract
from simulator.market.market import SteadyPaths
from simulator.market.recording import read_recording

_NAME = re.compile(rf"(?P<root>[A-Z0-9]+?)(?P<month>[{MONTHS}])(?P<year>\d{{1,2}})-1M\b")


class ReplayMarket(SteadyPaths):
    """Replays one file; silent after its last bar. Its only contract, named by the file, is always active.

    With `is_always_open` it also trades while the file has no bars, at the price of the last bar. `note` says what was
    not taken of the file. Raise SettingsError for a file that cannot be replayed.
    """

    def __init__(self, file: Path, *, is_always_open: bool = False) -> None:
        self.is_always_open = is_always_open
        root = _root_of(file)
        recording = read_recording(file, root, keeps_outside=is_always_open)
        self.note = recording.note
        self._bars = recording.bars
        self._contract = _contract_of(file, root, self._bars[0].start)
        self._starts = [bar.start for bar in self._bars]
        self.name = f"file {file.name.removesuffix('.gz').removesuffix('.csv')}"
        self.recorded = Span(self._starts[0], self._starts[-1] + MINUTE)
        _require_market_hours(file, self.recorded)
        self.ends_market_at: datetime | None = self.recorded.end
        # A session without a bar in the file counts as closed, whatever the calendar has.
        self._open = [
            span
            for span in assumed_calendar_of(root.group).open_spans(self.recorded)
            if bisect_left(self._starts, span.start) < bisect_left(self._starts, span.end)
        ]

    def contracts(self, at: datetime) -> list[Contract]:  # noqa: ARG002 - the same at any time
        """Return the file's contract."""
        return [self._contract]

    def contract(self, contract_id: str, at: datetime) -> Contract | None:  # noqa: ARG002 - the same at any time
        """Return the file's contract, or None for any other."""
        return self._contract if contract_id == self._contract.id else None

    def is_open(self, contract: Contract, at: datetime) -> bool:  # noqa: ARG002 - there is only one
        """Whether the calendar is open, in a session for which the file has bars."""
        if self.is_always_open:
            return self.recorded.start <= at < self.recorded.end
        return self._session(at) is not None

    def session(self, contract: Contract, at: datetime) -> Session:
        """Return the calendar's session that holds `at`, or the next one."""
        calendar = assumed_calendar_of(ROOTS[contract.root].group)
        return calendar.session_at(at) or calendar.next_session(at)

    def session_start(self, contract: Contract, at: datetime) -> datetime:  # noqa: ARG002 - there is only one
        """Return when the session of `at` opened, or `at` itself outside a session."""
        session = assumed_calendar_of(ROOTS[self._contract.root].group).session_at(at)
        return session.opens if session else at

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:  # noqa: ARG002 - there is only one
        """Yield the file's bars that start in `span`, newest first."""
        first, end = bisect_left(self._starts, span.start), bisect_left(self._starts, span.end)
        return (self._bars[index] for index in range(end - 1, first - 1, -1))

    def _session(self, at: datetime) -> Span | None:
        index = bisect_right(self._open, at, key=lambda span: span.start) - 1
        return self._open[index] if index >= 0 and at < self._open[index].end else None


def _require_market_hours(file: Path, recorded: Span) -> None:
    try:
        for at in (recorded.start, recorded.end):
            require_covered(at.astimezone(CHICAGO).date())
    except OutsideCalendarError as error:
        raise SettingsError(f"cannot replay {file}: {error}") from None


def _root_of(file: Path) -> Root:
    match = _NAME.match(file.name.upper())
    root = ROOTS.get(match["root"]) if match else None
    if root is None:
        raise SettingsError(
            f"invalid file name {file.name!r}: expected the name of a contract, such as mgcm2-1m-2022-04.csv"
        )
    return root


def _contract_of(file: Path, root: Root, first: datetime) -> Contract:
    match = _NAME.match(file.name.upper())
    assert match is not None  # noqa: S101 - _root_of has matched the name
    span = 10 ** len(match["year"])
    # A year of one digit means the first such year that is not before the bars.
    year = first.year + (int(match["year"]) - first.year) % span
    return make_contract(root, year, match["month"], is_active=True)
