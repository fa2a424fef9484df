"""A market whose contracts do what a person wrote for them, and otherwise what the market under it does."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move
from simulator.market.market import Market, quote
from simulator.market.script import Leg, Script, bar_of, legs_of, still


class ScriptedMarket:
    """Lets scripts take over contracts. After its last step a price stands until another script comes.

    A script replaces what the contract would have done from its start on, never what it did before. The minute bars
    follow from the script's path, so REST, hubs and matching see one market.
    """

    def __init__(self, under: Market) -> None:
        self._under = under
        self._playing: dict[str, list[Leg]] = {}
        self.name = under.name
        self.ends_market_at = under.ends_market_at
        self.is_always_open = under.is_always_open

    def play(self, script: Script) -> None:
        """Let a contract follow a script from its start on; a script without steps lets the price stand there."""
        starts = script.starts_market_at
        contract = self._under.contract(script.contract_id, starts)
        if contract is None:
            return
        now = quote(self, contract, starts)
        last = now.last if now else 0
        before = [leg.until(starts) for leg in self._playing.get(contract.id, []) if leg.start < starts]
        stood = [still(before[-1].end, starts, last)] if before and before[-1].end < starts else []
        legs = list(legs_of(script, last)) or [still(starts, starts + MINUTE, last)]
        self._playing[contract.id] = [*before, *stood, *legs]

    def contracts(self, at: datetime) -> list[Contract]:
        """Return the contracts that are active."""
        return self._under.contracts(at)

    def contract(self, contract_id: str, at: datetime) -> Contract | None:
        """Return a contract, active or not."""
        return self._under.contract(contract_id, at)

    def is_open(self, contract: Contract, at: datetime) -> bool:
        """Whether the contract trades; a script does not change that."""
        return self._under.is_open(contract, at)

    def session(self, contract: Contract, at: datetime) -> Session:
        """Return the session that holds `at`, or the next one."""
        return self._under.session(contract, at)

    def session_start(self, contract: Contract, at: datetime) -> datetime:
        """Return when the session opened that holds `at`."""
        return self._under.session_start(contract, at)

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:
        """Yield the one-minute bars that start in `span`, newest first; a scripted minute has one if it trades."""
        legs = self._playing.get(contract.id)
        if legs is None:
            yield from self._under.bars_backwards(contract, span)
            return
        minute = legs[0].start.replace(second=0, microsecond=0)
        at = _minute_before(span.end)
        while at >= max(span.start, minute):
            if at == minute or self.is_open(contract, at):
                yield self._scripted(contract, at)
            at -= MINUTE
        yield from self._under.bars_backwards(contract, Span(span.start, min(span.end, minute)))

    def path(self, contract: Contract, bar: Bar) -> Sequence[Move]:
        """Return how the price goes through a minute: as the script says, from its start on."""
        legs = self._playing.get(contract.id)
        if legs is None or bar.start + MINUTE <= legs[0].start:
            return self._under.path(contract, bar)
        return self._moves(contract, bar.start)

    def _scripted(self, contract: Contract, minute: datetime) -> Bar:
        legs = self._playing[contract.id]
        end, starts = minute + MINUTE, legs[0].start
        volume = sum(leg.volume_in(minute, end) for leg in legs)
        if minute < starts:
            whole = next(self._under.bars_backwards(contract, Span(minute, end)), None)
            volume += whole.volume * ((starts - minute) // _TICK) // (MINUTE // _TICK) if whole else 0
        return bar_of(minute, self._moves(contract, minute), volume)

    def _moves(self, contract: Contract, minute: datetime) -> list[Move]:
        legs = self._playing[contract.id]
        end, starts = minute + MINUTE, legs[0].start
        moves: list[Move] = []
        if minute < starts:
            before = next(self._under.bars_backwards(contract, Span(minute, end)), None)
            under = self._under.path(contract, before) if before else ()
            moves = [move.clipped(minute, starts) for move in takewhile(lambda move: move.start < starts, under)]
        for leg in legs:
            moves.extend(move.clipped(minute, end) for move in leg.moves if move.end > minute and move.start < end)
        last = legs[-1].moves[-1]
        if last.end < end:
            since = max(last.end, minute)
            moves.append(Move(since, end, last.end_price, last.end_price, is_rising=last.is_rising))
        return moves


_TICK = timedelta(microseconds=1)


def _minute_before(at: datetime) -> datetime:
    minute = at.replace(second=0, microsecond=0)
    return minute if minute < at else minute - MINUTE
