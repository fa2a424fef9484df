"""The user hub's side of the feed: fills and order updates become jobs, positions go to Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
from sqlalchemy.exc import SQLAlchemyError
from tenacity import before_sleep_log, retry, retry_if_exception_type, wait_fixed

from shared.clock import machine_now, monotonic
from shared.domain.order import Direction
from shared.fleets import Queue
from shared.gateway import hub_events, wire
from shared.gateway.hubs import Access, Hub
from shared.hot.feed_writer import FeedWriter
from shared.hot.positions import HotPosition
from shared.ledger.intake import Intake
from shared.ledger.job import Job
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccounts, RecordFill, RecordOrderUpdate

log = logging.getLogger(__name__)

# What waits while Postgres is away; beyond that the snapshot after the gap has to find it.
MOST_WAITING = 10_000
AGAIN_AFTER_S = 0.5
LOOK_FOR_ACCOUNTS_EVERY_S = 10.0
_BATCH = 100
_TOPICS = ("SubscribeOrders", "SubscribePositions", "SubscribeTrades")


class UserSide:
    """Takes what happens to the user's accounts; after every connection a snapshot by REST closes the gap before it."""

    def __init__(
        self, url: str, access: Access, writer: FeedWriter, intake: Intake, accounts: Callable[[], Awaitable[list[int]]]
    ) -> None:
        self.hub = Hub(f"{url}/hubs/user", access, self._take, self._subscribe)
        self.heard_at = monotonic()
        self._writer = writer
        self._intake = intake
        self._accounts = accounts
        self._subscribed: set[int] = set()
        self._waiting: asyncio.Queue[tuple[str, Job]] = asyncio.Queue(MOST_WAITING)
        self._positions: dict[int, dict[str, HotPosition]] = {}

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="user hub")
            tasks.create_task(self._enqueue(), name="enqueue events")
            tasks.create_task(self._write_positions(), name="write positions")
            tasks.create_task(self._follow_accounts(), name="follow accounts")

    async def _subscribe(self, hub: Hub) -> None:
        self._subscribed.clear()
        await hub.invoke("SubscribeAccounts")
        for account_id in await self._accounts():
            await self._listen_to(account_id)
        # Only now: what happens from here on is heard, what happened before is read.
        number = f"{machine_now():%Y%m%dT%H%M%S.%f}"
        self._put(f"feed:snapshot:{number}", SnapshotAccounts())
        self._put(f"feed:reconcile:{number}", ReconcileAccounts())

    async def _listen_to(self, account_id: int) -> None:
        for topic in _TOPICS:
            await self.hub.invoke(topic, account_id)
        self._subscribed.add(account_id)

    async def _follow_accounts(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_ACCOUNTS_EVERY_S)
            wanted = await self._accounts()
            if self.hub.is_connected and set(wanted) - self._subscribed:
                self.hub.drop()  # so that its snapshot comes after its subscription

    def _take(self, target: str, arguments: list[msgspec.Raw]) -> None:
        self.heard_at = monotonic()
        try:
            for entity in hub_events.entities(arguments):
                self._take_entity(target, entity)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            log.warning("a %s cannot be read, the next reconcile will see it: %s", target, error)
            self._put(f"feed:reconcile:{machine_now():%Y%m%dT%H%M%S}", ReconcileAccounts())

    def _take_entity(self, target: str, entity: dict[str, Any]) -> None:
        match target:
            case "GatewayUserOrder":
                order = wire.order(entity)
                key = f"{order.account_id}:{order.id}:{entity.get('status')}:{order.filled_quantity}"
                changed = entity.get("updateTimestamp") or entity["creationTimestamp"]
                self._put(f"order-update:{key}:{changed}", RecordOrderUpdate(document=_plain(entity)))
            case "GatewayUserTrade":
                fill = wire.fill(entity)
                void = ":voided" if fill.is_voided else ""
                self._put(f"fill:{fill.account_id}:{fill.id}{void}", RecordFill(document=_plain(entity)))
            case "GatewayUserPosition":
                position = wire.position(entity)
                if position.direction is not None:
                    told = HotPosition(
                        direction=position.direction if position.quantity else Direction.FLAT,
                        quantity=position.quantity,
                        average_price=position.average_price,
                        told_at=machine_now(),
                    )
                    self._positions.setdefault(position.account_id, {})[position.contract_id] = told
            case "GatewayUserAccount":
                account = wire.account(entity)
                key = f"{account.id}:{account.balance}:{account.can_trade}:{machine_now():%Y%m%dT%H%M%S}"
                self._put(f"feed:account:{key}", SnapshotAccounts())

    def _put(self, key: str, request: Job) -> None:
        try:
            self._waiting.put_nowait((key, request))
        except asyncio.QueueFull:
            log.error("%s events wait for Postgres, one more is left to the next reconcile", MOST_WAITING)  # noqa: TRY400  # foreseen

    async def _enqueue(self) -> None:
        """Turn events into jobs in the order they came; while Postgres is away they wait here."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._commit(batch)

    @retry(
        retry=retry_if_exception_type((SQLAlchemyError, psycopg.Error, OSError)),
        wait=wait_fixed(AGAIN_AFTER_S),
        before_sleep=before_sleep_log(log, logging.WARNING),
    )
    async def _commit(self, batch: list[tuple[str, Job]]) -> None:
        async with self._intake.transaction() as tx:
            for key, request in batch:
                await tx.enqueue(request, key=key, queue=Queue.CRITICAL)

    async def _write_positions(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_AFTER_S / 10)
            told, self._positions = self._positions, {}
            for account_id, positions in told.items():
                if not await self._writer.write_positions(account_id, positions):
                    self._positions[account_id] = positions | self._positions.get(account_id, {})


def _plain(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the venue's document as JSON can carry it, its numbers exact."""
    plain: dict[str, Any] = msgspec.to_builtins(entity)
    return plain
