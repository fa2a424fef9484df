"""Publishers of wake-ups to RabbitMQ: one quorum queue of the same name for each of our queues."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import kombu

from shared.clock import monotonic
from shared.fleets import Queue, max_outstanding
from shared.ledger.envelope import WakeUp, encode_for_amqp, group_by_queue

log = logging.getLogger(__name__)

_TIMEOUT_S = 1
# While the broker is away only one call per pause tries to connect; the others return 0 at once.
_PAUSE_S = 0.5


def quorum_queue(queue: Queue, channel: Any = None) -> kombu.Queue:  # noqa: ANN401  # py-amqp has no types
    """Return the RabbitMQ queue for `queue`; every declaration of it must have these arguments."""
    # On the default exchange the routing key is the name of the queue, so no binding is needed.
    return kombu.Queue(
        queue.value,
        kombu.Exchange(""),
        routing_key=queue.value,
        durable=True,
        queue_arguments={"x-queue-type": "quorum"},
        channel=channel,
    )


class _BrokerConnection:
    """One connection to RabbitMQ with one channel."""

    def __init__(self, url: str) -> None:
        options = {"read_timeout": _TIMEOUT_S, "write_timeout": _TIMEOUT_S, "confirm_publish": True}
        with kombu.Connection(url, connect_timeout=_TIMEOUT_S, transport_options=options) as broker:
            self._connection = broker.transport.establish_connection()  # kombu's connect() would try twice
        self._channel = self._connection.channel()
        self._producer = kombu.Producer(self._channel, auto_declare=False)

    @property
    def server(self) -> dict[str, Any]:
        """The properties that the broker reports of itself."""
        return dict(self._connection.server_properties)

    def count_waiting(self, queue: Queue) -> int:
        """Return how many wake-ups of the queue no worker has taken; declare the queue if it is missing."""
        declared: Any = quorum_queue(queue, self._channel).queue_declare()
        return int(declared.message_count)

    def publish(self, wake_up: WakeUp) -> None:
        """Publish and wait for the broker's confirmation, so that the next count includes it."""
        message = encode_for_amqp(wake_up)
        self._producer.publish(
            message.body, routing_key=wake_up.queue.value, headers=message.headers, retry=False, **message.properties
        )

    def close(self) -> None:
        """Close without a handshake, for which a broker that hangs would make us wait."""
        with suppress(Exception):
            self._connection.collect()


class AmqpPublisher:
    """The publisher of a synchronous program."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._connection: _BrokerConnection | None = None
        self._lock = threading.Lock()
        self._not_before = 0.0

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Publish wake-ups while their queues have capacity; return how many, 0 if RabbitMQ does not answer."""
        return sum(
            self._call(lambda broker, queue=queue, some=some: _publish_to(broker, queue, some)) or 0  # type: ignore[misc]  # mypy knows no such default
            for queue, some in group_by_queue(wake_ups).items()
        )

    def capacity(self, queue: Queue) -> int | None:
        """Return how many more wake-ups `queue` may hold; None if RabbitMQ does not answer."""
        return self._call(lambda broker: _count_capacity(broker, queue))

    def waiting(self, queue: Queue) -> int:
        """Return how many wake-ups of `queue` no worker has taken; 0 if RabbitMQ does not answer."""
        return self._call(lambda broker: broker.count_waiting(queue)) or 0

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _call(self, action: Callable[[_BrokerConnection], int]) -> int | None:
        if not self._lock.acquire(timeout=_TIMEOUT_S):
            return None
        try:
            return self._call_connected(action)
        except Exception as error:  # noqa: BLE001  # a lost connection shows as almost anything, AttributeError too
            self._disconnect()
            self._not_before = monotonic() + _PAUSE_S
            log.warning("cannot publish wake-ups, the relay will: %s", str(error) or type(error).__name__)
            return None
        finally:
            self._lock.release()

    def _call_connected(self, action: Callable[[_BrokerConnection], int]) -> int | None:
        if monotonic() < self._not_before:
            return None
        if self._connection is not None:
            try:
                return action(self._connection)
            except TimeoutError:
                raise
            except Exception:  # noqa: BLE001  # as above; RabbitMQ was restarted or closed an old connection
                self._disconnect()
        self._connection = _BrokerConnection(self._url)
        return action(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _count_capacity(broker: _BrokerConnection, queue: Queue) -> int:
    return max(max_outstanding(queue) - broker.count_waiting(queue), 0)


def _publish_to(broker: _BrokerConnection, queue: Queue, wake_ups: Sequence[WakeUp]) -> int:
    some = wake_ups[: _count_capacity(broker, queue)]
    for wake_up in some:
        broker.publish(wake_up)
    return len(some)


class AsyncAmqpPublisher:
    """The publisher of an asyncio program: an AmqpPublisher that runs in a thread."""

    def __init__(self, broker_url: str) -> None:
        self._publisher = AmqpPublisher(broker_url)

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As AmqpPublisher.publish."""
        return await asyncio.to_thread(self._publisher.publish, wake_ups)

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._publisher.close)


def declare_queues(broker_url: str) -> tuple[str, str]:
    """Declare every queue and return the broker's name and version; raise the error of kombu if that fails."""
    broker = _BrokerConnection(broker_url)
    try:
        for queue in Queue:
            broker.count_waiting(queue)
        return str(broker.server.get("product", "")), str(broker.server.get("version", ""))
    finally:
        broker.close()
