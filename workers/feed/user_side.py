"""The user side of the feed: fills and order updates become jobs, positions go to Redis."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from shared.clock import machine_now, monotonic
from shared.domain.orders.order import Direction
from shared.errors import TickworkError
from shared.gateway import wire
from shared.gateway.hubs import messages
from shared.gateway.hubs.hub import Hub, HubError
from shared.gateway.hubs.session import HubSession
from shared.gateway.wire import VenuePosition
from shared.hot.feed_writer import FeedWriter
from shared.hot.positions import HotPosition
from shared.ledger.jobs.orders import ApplyExecutionReports
from workers.feed.event_buffer import EventBuffer
from workers.feed.refusals import Refusals
from workers.feed.stall import CHECK_STALL_EVERY_S, Stall

log = logging.getLogger(__name__)

CHECK_ACCOUNTS_EVERY_S = 5.0
READ_WHILE_DOWN_EVERY_S = 10.0
WRITE_EVERY_S = 0.05
REWRITE_EVERY_S = 5.0  # Redis may be emptied, or evict positions that do not change
MOMENT_S = 0.025  # so that the acceptance and the fill of a market order share a job
_MOST_READS = 5
_TOPICS = ("Orders", "Positions", "Trades")

Accounts = Callable[[], Awaitable[Sequence[int]]]
ReadPositions = Callable[[int], Awaitable[Sequence[VenuePosition]]]


class UserSide:
    """Receives the events of the user's accounts; after each connect a snapshot by REST closes the gap.

    The stream has neither replay nor sequence numbers: only reading everything again finds missed events.
    """

    def __init__(
        self,
        hubs: tuple[str, HubSession],
        writer: FeedWriter,
        event_buffer: EventBuffer,
        *,
        accounts: Accounts,
        read_positions: ReadPositions,
    ) -> None:
        """Subscribe to the accounts that `accounts` returns; `read_positions` reads an account's positions by REST."""
        url, session = hubs
        self.hub = Hub(f"{url}/hubs/user", session, self._handle_event, self._subscribe)
        self._writer = writer
        self._event_buffer = event_buffer
        self._accounts = accounts
        self._read_positions = read_positions
        self._subscribed: set[int] = set()
        self._refusals: dict[int, Refusals] = {}
        self._silent: set[int] = set()  # accounts whose last subscription had no answer in time
        self._new_positions: dict[int, dict[str, HotPosition]] = {}
        self._known_positions: dict[int, dict[str, HotPosition]] = {}
        self._position_events: dict[int, int] = {}
        self._writing = asyncio.Lock()  # so that no older position is written over a newer one
        self._pending_events: dict[int, dict[str, list[dict[str, Any]]]] = {}
        self._has_events = asyncio.Event()
        self._has_positions = asyncio.Event()
        self._stall = Stall()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="user hub")
            tasks.create_task(self._enqueue_events(), name="group events")
            tasks.create_task(self._event_buffer.run(), name="enqueue events")
            tasks.create_task(self._stall.watch(), name="watch the event loop")
            tasks.create_task(self._write_positions(), name="write positions")
            tasks.create_task(self._follow_accounts(), name="follow accounts")
            tasks.create_task(self._read_while_down(), name="read while the hub is down")

    async def _subscribe(self, hub: Hub) -> None:
        self._subscribed.clear()
        self._refusals.clear()
        await hub.invoke("SubscribeAccounts")
        account_ids = await self._accounts()
        await self._subscribe_accounts(account_ids, is_connecting=True)
        self._event_buffer.request_reconcile()
        for account_id in account_ids:
            await self._refresh_positions(account_id)

    async def _subscribe_accounts(self, account_ids: Sequence[int], *, is_connecting: bool = False) -> list[int]:
        """Subscribe to the accounts and return those that the hub did not refuse; what they missed is to be read.

        On a new connection raise TimeoutError for an account without an answer: the connection may be dead. If the one
        before had none of it either, it is that account's own.
        """
        subscribed = []
        for account_id in account_ids:
            try:
                for topic in _TOPICS:
                    await self.hub.invoke(f"Subscribe{topic}", account_id)
            except (HubError, TimeoutError) as error:  # a refused or silent account must not stop the others
                if is_connecting and isinstance(error, TimeoutError) and account_id not in self._silent:
                    self._silent.add(account_id)
                    raise
                refusals = self._refusals[account_id] = self._refusals.get(account_id, Refusals()).add(monotonic())
                log.error(  # noqa: TRY400  # expected
                    "cannot subscribe to account %s, which is read every 10 s instead; asking again in %.0f s: %s",
                    account_id, refusals.pause_s, error or "no answer"
                )  # fmt: skip
            else:
                self._refusals.pop(account_id, None)
                self._silent.discard(account_id)
                subscribed.append(account_id)
        self._subscribed.update(subscribed)
        return subscribed

    async def _follow_accounts(self) -> None:
        while True:
            await asyncio.sleep(CHECK_ACCOUNTS_EVERY_S)
            try:
                known = set(await self._accounts())
                for gone in self._refusals.keys() - known:
                    del self._refusals[gone]
                missing = known - self._subscribed
                due = sorted(one for one in missing if self._refusals.get(one, Refusals()).is_due(monotonic()))
                if self.hub.is_ready and (subscribed := await self._subscribe_accounts(due)):
                    self._event_buffer.request_reconcile()
                    for account_id in subscribed:
                        await self._refresh_positions(account_id)
            except (TickworkError, TimeoutError) as error:
                log.warning("cannot subscribe to new accounts, trying again: %s", error)

    async def _read_while_down(self) -> None:
        """Request reads now and then while no event can come, of all accounts or of a refused one."""
        while True:
            await asyncio.sleep(READ_WHILE_DOWN_EVERY_S)
            if not self.hub.is_ready:
                self._event_buffer.request_reads_of_exposed()
                continue
            for account_id in self._refusals:
                self._event_buffer.request_read(account_id)

    async def _refresh_positions(self, account_id: int) -> None:
        """Replace the positions in Redis by those of REST; read again if an event came meanwhile: it may be newer."""
        for _ in range(_MOST_READS):
            event_count = self._position_events.get(account_id, 0)
            try:
                found = await self._read_positions(account_id)
            except TickworkError as error:
                log.warning("cannot read the positions of account %s: %s", account_id, error)
                return
            positions = [(one.contract_id, _to_hot_position(one)) for one in found]
            known = {contract_id: hot for contract_id, hot in positions if hot is not None}
            async with self._writing:
                if event_count == self._position_events.get(account_id, 0):
                    self._known_positions[account_id] = known
                    await self._writer.replace_positions(account_id, known)
                    return

    def _handle_event(self, target: str, arguments: list[msgspec.Raw]) -> None:
        try:
            for entity in messages.parse_entities(arguments):
                self._handle_entity(target, entity)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            log.warning("cannot parse a %s, requesting a snapshot by REST: %s: %s", target, type(error).__name__, error)
            self._event_buffer.request_reconcile()

    def _handle_entity(self, target: str, entity: dict[str, Any]) -> None:
        match target:
            case "GatewayUserOrder":
                self._add_event(wire.parse_order(entity).account_id, "orders", entity)
            case "GatewayUserTrade":
                self._add_event(wire.parse_fill(entity).account_id, "fills", entity)
            case "GatewayUserPosition":
                position = wire.parse_position(entity)
                if (hot := _to_hot_position(position)) is not None:
                    account_id = position.account_id
                    self._position_events[account_id] = self._position_events.get(account_id, 0) + 1
                    self._new_positions.setdefault(account_id, {})[position.contract_id] = hot
                    self._known_positions.setdefault(account_id, {})[position.contract_id] = hot
                    self._has_positions.set()
            case "GatewayUserAccount":
                self._add_event(wire.parse_account(entity).id, "accounts", entity)
            case _:
                log.debug("ignored a %s", target)

    def _add_event(self, account_id: int, kind: str, entity: dict[str, Any]) -> None:
        self._pending_events.setdefault(account_id, {}).setdefault(kind, []).append(_to_builtins(entity))
        self._has_events.set()

    async def _enqueue_events(self) -> None:
        """Combine an account's events within a moment into one job: an order and its legs, a fill and its balance."""
        while True:
            await self._has_events.wait()
            await asyncio.sleep(MOMENT_S)
            self._has_events.clear()
            pending, self._pending_events = self._pending_events, {}
            for account_id, events in pending.items():
                at = machine_now()
                job = ApplyExecutionReports(account_id=account_id, reported_at=at, **events)
                # A repeated event is one job. A balance has no time of its own, and may return to an earlier value.
                digest = hashlib.sha256(msgspec.json.encode([events, at if job.accounts else None])).hexdigest()
                self._event_buffer.put(f"report:{account_id}:{digest[:32]}", job)

    async def _write_positions(self) -> None:
        rewritten_at = monotonic()
        while True:
            with suppress(TimeoutError):  # a stall is to be noticed soon, also while nothing changes
                await asyncio.wait_for(self._has_positions.wait(), CHECK_STALL_EVERY_S)
                await asyncio.sleep(WRITE_EVERY_S)
            self._has_positions.clear()
            unwritten, self._new_positions = self._new_positions, {}
            if self._stall.take():  # another feed may have written newer ones
                self._known_positions.clear()
                self.hub.drop()
                continue
            async with self._writing:
                if monotonic() - rewritten_at >= REWRITE_EVERY_S:
                    rewritten_at = monotonic()
                    unwritten = {account_id: dict(known) for account_id, known in self._known_positions.items()}
                await self._write(unwritten)

    async def _write(self, unwritten: dict[int, dict[str, HotPosition]]) -> None:
        for account_id, positions in unwritten.items():
            if not await self._writer.write_positions(account_id, positions):
                self._new_positions[account_id] = positions | self._new_positions.get(account_id, {})
                self._has_positions.set()


def _to_hot_position(position: VenuePosition) -> HotPosition | None:
    """Return the position as Redis stores it; None if its direction is unknown."""
    if position.direction is None and position.quantity:
        return None
    direction = position.direction if position.direction is not None and position.quantity else Direction.FLAT
    return HotPosition(
        direction=direction,
        quantity=position.quantity,
        average_price=position.average_price if position.quantity else None,
        reported_at=machine_now(),
    )


def _to_builtins(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the venue's document in types that JSON can hold, its numbers exact."""
    plain: dict[str, Any] = msgspec.to_builtins(entity)
    return plain
