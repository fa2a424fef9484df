"""Publishers of wake-ups to the broker. A lost wake-up costs a second and never a job, so nothing here raises."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp
from shared.ledger.publisher_redis import AsyncRedisPublisher, RedisPublisher


class Publisher(Protocol):
    """The publisher of a synchronous program; threads may share it."""

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Publish wake-ups while their queues have capacity; return how many, 0 if the broker does not answer."""

    def capacity(self, queue: Queue) -> int | None:
        """Return how many more wake-ups `queue` may hold; None if the broker does not answer."""

    def waiting(self, queue: Queue) -> int:
        """Return how many wake-ups of `queue` no worker has taken; 0 if the broker does not answer."""

    def close(self) -> None:
        """Close the connections."""


class AsyncPublisher(Protocol):
    """The publisher of an asyncio program."""

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As Publisher.publish."""

    async def close(self) -> None:
        """Close the connections."""


def is_amqp(broker_url: str) -> bool:
    """Whether the broker is RabbitMQ and not Redis."""
    return urlsplit(broker_url).scheme in {"amqp", "amqps"}


def open_publisher(broker_url: str) -> Publisher:
    """Return the publisher for the broker at this URL; it connects on first use."""
    if is_amqp(broker_url):
        from shared.ledger.publisher_amqp import AmqpPublisher  # noqa: PLC0415  # only RabbitMQ needs kombu

        return AmqpPublisher(broker_url)
    return RedisPublisher(broker_url)


def open_async_publisher(broker_url: str) -> AsyncPublisher:
    """Return the publisher of an asyncio program for the broker at this URL; it connects on first use."""
    if is_amqp(broker_url):
        from shared.ledger.publisher_amqp import AsyncAmqpPublisher  # noqa: PLC0415  # as above

        return AsyncAmqpPublisher(broker_url)
    return AsyncRedisPublisher(broker_url)
