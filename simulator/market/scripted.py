"""A market whose contracts follow scripts, and otherwise the market it is based on."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move
from simulator.market.market import Market, find_move
from simulator.market.script import Leg, Script, bar_of, flat_leg, legs_of, moves_until


class ScriptedMarket:
    """A market with scripts for some contracts. After the last step of a script the price stays until the next script.

    A script replaces the base market from its start on, never the past: neither the minutes nor the whole seconds nor
    the quotes before it change. The bars follow from the script's path, so REST, hubs and matching see the same market.

    Threads read it while a script is played: each read takes the legs of a contract once, and `play` replaces their
    list. So a bar, a path or a volume is of the scripts before or after, never of both.
    """

    def __init__(self, base: Market) -> None:
        self._base = base
        self._legs: dict[str, list[Leg]] = {}  # a list never changes
        self.name = base.name
        self.ends_market_at = base.ends_market_at
        self.is_always_open = base.is_always_open

    def play(self, script: Script) -> None:
        """Let a contract follow a script from its start on; a script without steps holds the price."""
        starts = script.starts_market_at
        contract = self._base.contract(script.contract_id, starts)
        if contract is None:
            return
        move = find_move(self, contract, starts)
        last, is_rising = (move.price_at(starts), move.is_rising) if move else (0, False)
        before = [leg.part_before(starts) for leg in self._legs.get(contract.id, []) if leg.start < starts]
        has_pause = bool(before) and before[-1].end < starts
        pause = [flat_leg(before[-1].end, starts, last, is_rising=is_rising)] if has_pause else []
        legs = list(legs_of(script, last)) or [flat_leg(starts, starts + MINUTE, last, is_rising=is_rising)]
        self._legs[contract.id] = [*before, *pause, *legs]

    def contracts(self, at: datetime) -> list[Contract]:
        """Return the contracts that are active."""
        return self._base.contracts(at)

    def contract(self, contract_id: str, at: datetime) -> Contract | None:
        """Return a contract, active or not."""
        return self._base.contract(contract_id, at)

    def is_open(self, contract: Contract, at: datetime) -> bool:
        """Whether the contract trades; a script does not change that."""
        return self._base.is_open(contract, at)

    def session(self, contract: Contract, at: datetime) -> Session:
        """Return the session that holds `at`, or the next one."""
        return self._base.session(contract, at)

    def session_start(self, contract: Contract, at: datetime) -> datetime:
        """Return when the session of `at` opened."""
        return self._base.session_start(contract, at)

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:
        """Yield the one-minute bars that start in `span`, newest first; scripted minutes have one while open."""
        legs = self._legs.get(contract.id)
        if legs is None:
            yield from self._base.bars_backwards(contract, span)
            return
        minute = legs[0].start.replace(second=0, microsecond=0)
        at = _minute_before(span.end)
        while at >= max(span.start, minute):
            if at == minute or self.is_open(contract, at):
                yield self._scripted_bar(legs, contract, at)
            at -= MINUTE
        yield from self._base.bars_backwards(contract, Span(span.start, min(span.end, minute)))

    def path(self, contract: Contract, bar: Bar) -> Sequence[Move]:
        """Return the path of the price through a minute: the script's from its start on, else the base market's."""
        legs = self._legs.get(contract.id)
        if legs is None or bar.start + MINUTE <= legs[0].start:
            return self._base.path(contract, bar)
        return self._moves(legs, contract, bar.start)

    def volume_until(self, contract: Contract, bar: Bar, at: datetime) -> int:
        """Return the volume of a minute before `at`: the base market's before the first script, then the scripts'."""
        legs = self._legs.get(contract.id)
        if legs is None or bar.start + MINUTE <= legs[0].start:
            return self._base.volume_until(contract, bar, at)
        return self._scripted_volume(legs, contract, bar.start, at)

    def _scripted_bar(self, legs: list[Leg], contract: Contract, minute: datetime) -> Bar:
        volume = self._scripted_volume(legs, contract, minute, minute + MINUTE)
        return bar_of(minute, self._moves(legs, contract, minute), volume)

    def _scripted_volume(self, legs: list[Leg], contract: Contract, minute: datetime, at: datetime) -> int:
        starts = legs[0].start
        volume = sum(leg.volume_in(minute, at) for leg in _legs_between(legs, minute, at))
        if minute < starts and (before := self._base_bar(contract, minute)):
            volume += self._base.volume_until(contract, before, min(at, starts))
        return volume

    def _moves(self, legs: list[Leg], contract: Contract, minute: datetime) -> list[Move]:
        end, starts = minute + MINUTE, legs[0].start
        moves: list[Move] = []
        if minute < starts and (before := self._base_bar(contract, minute)):
            moves += moves_until(self._base.path(contract, before), minute, starts)
        for leg in _legs_between(legs, minute, end):
            moves += leg.moves_in(minute)
        last = legs[-1].moves[-1]
        if last.end < end:
            since = max(last.end, minute)
            moves.append(Move(since, end, last.end_price, last.end_price, is_rising=last.is_rising))
        return moves

    def _base_bar(self, contract: Contract, minute: datetime) -> Bar | None:
        return next(self._base.bars_backwards(contract, Span(minute, minute + MINUTE)), None)


def _legs_between(legs: list[Leg], start: datetime, end: datetime) -> list[Leg]:
    """Return the legs that overlap [start, end): each begins where the one before it ends."""
    first = bisect_right(legs, start, key=lambda leg: leg.end)
    return legs[first : bisect_left(legs, end, key=lambda leg: leg.start)]


def _minute_before(at: datetime) -> datetime:
    minute = at.replace(second=0, microsecond=0)
    return minute if minute < at else minute - MINUTE
