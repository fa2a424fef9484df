"""The user hub's side of the feed: fills and order updates become jobs, positions go to Redis."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
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
from workers.feed.outbox import Outbox

log = logging.getLogger(__name__)

LOOK_FOR_ACCOUNTS_EVERY_S = 5.0
WRITE_EVERY_S = 0.05
MOMENT_S = 0.025  # an order's acceptance and its fill at the market belong together
STOOD_STILL_S = 2.0
_MOST_READS = 5
_TOPICS = ("Orders", "Positions", "Trades")

Accounts = Callable[[], Awaitable[Sequence[int]]]
ReadPositions = Callable[[int], Awaitable[Sequence[VenuePosition]]]


class UserSide:
    """Takes what happens to the user's accounts; after every connection a snapshot by REST closes the gap before it.

    The stream has no replay and no numbers: what was missed is only to be found by reading everything again.
    """

    def __init__(
        self,
        hubs: tuple[str, HubSession],
        writer: FeedWriter,
        outbox: Outbox,
        *,
        accounts: Accounts,
        read_positions: ReadPositions,
    ) -> None:
        """Listen to the accounts that `accounts` names; `read_positions` asks by REST."""
        url, session = hubs
        self.hub = Hub(f"{url}/hubs/user", session, self._take, self._subscribe)
        self._writer = writer
        self._outbox = outbox
        self._accounts = accounts
        self._read_positions = read_positions
        self._subscribed: set[int] = set()
        self._new_positions: dict[int, dict[str, HotPosition]] = {}
        self._position_events: dict[int, int] = {}
        self._told: dict[int, dict[str, list[dict[str, Any]]]] = {}
        self._has_told = asyncio.Event()

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="user hub")
            tasks.create_task(self._hand_over(), name="hand events over")
            tasks.create_task(self._outbox.run(), name="enqueue events")
            tasks.create_task(self._write_positions(), name="write positions")
            tasks.create_task(self._follow_accounts(), name="follow accounts")

    async def _subscribe(self, hub: Hub) -> None:
        self._subscribed.clear()
        await hub.invoke("SubscribeAccounts")
        await self._listen_to(await self._accounts())

    async def _listen_to(self, account_ids: Sequence[int]) -> None:
        """Subscribe, and only then read: what happens from here on is heard, what happened before is read."""
        for account_id in account_ids:
            try:
                for topic in _TOPICS:
                    await self.hub.invoke(f"Subscribe{topic}", account_id)
            except HubError as error:  # one account that is refused must not silence the others
                log.error("account %s is not heard, only read every half minute: %s", account_id, error)  # noqa: TRY400  # foreseen
            else:
                self._subscribed.add(account_id)
        self._outbox.ask_for_snapshot()
        for account_id in account_ids:
            await self._refresh_positions(account_id)

    async def _follow_accounts(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_ACCOUNTS_EVERY_S)
            try:
                missing = sorted(set(await self._accounts()) - self._subscribed)
                if self.hub.is_ready and missing:
                    await self._listen_to(missing)
            except (TickworkError, TimeoutError) as error:
                log.warning("accounts cannot be followed for now: %s", error)

    async def _refresh_positions(self, account_id: int) -> None:
        """Replace what Redis holds by what REST says, again if an event came meanwhile: it may be the newer word."""
        for _ in range(_MOST_READS):
            seen = self._position_events.get(account_id, 0)
            try:
                found = await self._read_positions(account_id)
            except TickworkError as error:
                log.warning("the positions of account %s cannot be read: %s", account_id, error)
                return
            if seen == self._position_events.get(account_id, 0):
                told = [(one.contract_id, _hot(one)) for one in found]
                await self._writer.replace_positions(account_id, {name: hot for name, hot in told if hot is not None})
                return

    def _take(self, target: str, arguments: list[msgspec.Raw]) -> None:
        try:
            for entity in messages.entities(arguments):
                self._take_entity(target, entity)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            log.warning("a %s cannot be read, REST will tell: %s: %s", target, type(error).__name__, error)
            self._outbox.ask_for_snapshot()

    def _take_entity(self, target: str, entity: dict[str, Any]) -> None:
        match target:
            case "GatewayUserOrder":
                self._note(wire.order(entity).account_id, "orders", entity)
            case "GatewayUserTrade":
                self._note(wire.fill(entity).account_id, "fills", entity)
            case "GatewayUserPosition":
                position = wire.position(entity)
                if (hot := _hot(position)) is not None:
                    account_id = position.account_id
                    self._position_events[account_id] = self._position_events.get(account_id, 0) + 1
                    self._new_positions.setdefault(account_id, {})[position.contract_id] = hot
            case "GatewayUserAccount":
                self._note(wire.account(entity).id, "accounts", entity)
            case _:
                log.debug("a %s is of no interest", target)

    def _note(self, account_id: int, kind: str, entity: dict[str, Any]) -> None:
        self._told.setdefault(account_id, {}).setdefault(kind, []).append(_plain(entity))
        self._has_told.set()

    async def _hand_over(self) -> None:
        """Make a job of what is told of an account within a moment: an order and its legs, a fill and its balance."""
        while True:
            await self._has_told.wait()
            await asyncio.sleep(MOMENT_S)
            self._has_told.clear()
            told, self._told = self._told, {}
            for account_id, events in told.items():
                at = machine_now()
                job = ApplyExecutionReports(account_id=account_id, reported_at=at, **events)
                # The same told twice is one job. A balance has no time of its own: it may come back to what it was.
                digest = hashlib.sha256(msgspec.json.encode([events, at if job.accounts else None])).hexdigest()
                self._outbox.put(f"told:{account_id}:{digest[:32]}", job)

    async def _write_positions(self) -> None:
        wrote_at = monotonic()
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            stood_still_s, wrote_at = monotonic() - wrote_at, monotonic()
            told, self._new_positions = self._new_positions, {}
            if stood_still_s > STOOD_STILL_S:  # another feed may have told newer ones
                self.hub.drop()
                continue
            for account_id, positions in told.items():
                if not await self._writer.write_positions(account_id, positions):
                    self._new_positions[account_id] = positions | self._new_positions.get(account_id, {})
                wrote_at = monotonic()


def _hot(position: VenuePosition) -> HotPosition | None:
    """Return what Redis keeps of a position; None when the venue names a direction that we do not know."""
    if position.direction is None and position.quantity:
        return None
    direction = position.direction if position.direction is not None and position.quantity else Direction.FLAT
    return HotPosition(
        direction=direction,
        quantity=position.quantity,
        average_price=position.average_price if position.quantity else None,
        reported_at=machine_now(),
    )


def _plain(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the venue's document as JSON can set_opening it, its numbers exact."""
    plain: dict[str, Any] = msgspec.to_builtins(entity)
    return plain
