"""Publishes wake-ups to the broker; a lost one costs a second, never a job, so nothing here raises."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp
from shared.ledger.wake_redis import AsyncRedisWake, RedisWake


class Wake(Protocol):
    """The publisher of a synchronous program; its threads may share it."""

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Publish the wake-ups their queues have capacity for; return how many, 0 when the broker does not answer."""

    def capacity(self, queue: Queue) -> int:
        """How many more wake-ups `queue` may hold; 0 when the broker does not answer."""

    def close(self) -> None:
        """Close the connections."""


class AsyncWake(Protocol):
    """The publisher of an asyncio program."""

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As Wake.publish."""

    async def close(self) -> None:
        """Close the connections."""


def is_amqp(broker_url: str) -> bool:
    """Whether RabbitMQ is the broker, and not a Redis."""
    return urlsplit(broker_url).scheme in {"amqp", "amqps"}


def open_wake(broker_url: str) -> Wake:
    """Return the publisher for the broker of this URL; it connects when there is something to publish."""
    if is_amqp(broker_url):
        from shared.ledger.wake_amqp import AmqpWake  # noqa: PLC0415  # only who has a RabbitMQ loads kombu

        return AmqpWake(broker_url)
    return RedisWake(broker_url)


def open_async_wake(broker_url: str) -> AsyncWake:
    """Return the publisher of an asyncio program, as open_wake does."""
    if is_amqp(broker_url):
        from shared.ledger.wake_amqp import AsyncAmqpWake  # noqa: PLC0415  # as above

        return AsyncAmqpWake(broker_url)
    return AsyncRedisWake(broker_url)
