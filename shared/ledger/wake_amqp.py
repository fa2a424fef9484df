"""Publishes wake-ups to RabbitMQ, whose quorum queues are named like ours."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import kombu

from shared.clock import monotonic
from shared.fleets import Queue, most_outstanding
from shared.ledger.envelope import WakeUp, by_queue, unwrapped

log = logging.getLogger(__name__)

_TIMEOUT_S = 1
# While the broker is away one caller in this time waits for it; the others hear at once that there is no capacity.
_PAUSE_S = 0.5


def quorum_queue(queue: Queue, channel: Any = None) -> kombu.Queue:  # noqa: ANN401  # py-amqp has no types
    """Return the RabbitMQ queue of one of ours; whoever declares it must ask for the same."""
    # On the default exchange, where a routing key is a queue's name: nothing needs to be bound.
    return kombu.Queue(
        queue.value,
        kombu.Exchange(""),
        routing_key=queue.value,
        durable=True,
        queue_arguments={"x-queue-type": "quorum"},
        channel=channel,
    )


class _Line:
    """One connection with one channel."""

    def __init__(self, url: str) -> None:
        options = {"read_timeout": _TIMEOUT_S, "write_timeout": _TIMEOUT_S, "confirm_publish": True}
        with kombu.Connection(url, connect_timeout=_TIMEOUT_S, transport_options=options) as where:
            self._connection = where.transport.establish_connection()  # kombu's own connect() would try twice
        self._channel = self._connection.channel()
        self._producer = kombu.Producer(self._channel, auto_declare=False)

    @property
    def server(self) -> dict[str, Any]:
        """What the broker says of itself."""
        return dict(self._connection.server_properties)

    def waiting(self, queue: Queue) -> int:
        """Return how many wake-ups the queue holds that no worker has; make the queue if there is none."""
        declared: Any = quorum_queue(queue, self._channel).queue_declare()
        return int(declared.message_count)

    def publish(self, wake_up: WakeUp) -> None:
        """Publish and wait until the broker has it: else the next count would miss it."""
        message = unwrapped(wake_up)
        self._producer.publish(
            message.body, routing_key=wake_up.queue.value, headers=message.headers, retry=False, **message.properties
        )

    def close(self) -> None:
        """Hang up without a farewell, which a broker that does not answer would keep waiting."""
        with suppress(Exception):
            self._connection.collect()


class AmqpWake:
    """The publisher of a synchronous program."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._line: _Line | None = None
        self._lock = threading.Lock()
        self._not_before = 0.0

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Publish the wake-ups their queues have capacity for; return how many, 0 when RabbitMQ does not answer."""
        return sum(
            self._asked(lambda line, queue=queue, some=some: _fill(line, queue, some))  # type: ignore[misc]  # mypy knows no such default
            for queue, some in by_queue(wake_ups).items()
        )

    def capacity(self, queue: Queue) -> int:
        """How many more wake-ups `queue` may hold; 0 when RabbitMQ does not answer."""
        return self._asked(lambda line: _capacity(line, queue))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._hang_up()

    def _asked(self, question: Callable[[_Line], int]) -> int:
        if not self._lock.acquire(timeout=_TIMEOUT_S):
            return 0
        try:
            return self._answer(question)
        except Exception as error:  # noqa: BLE001  # a lost connection shows as almost anything, AttributeError too
            self._hang_up()
            self._not_before = monotonic() + _PAUSE_S
            log.warning("wake-ups not published, the relay will: %s", str(error) or type(error).__name__)
            return 0
        finally:
            self._lock.release()

    def _answer(self, question: Callable[[_Line], int]) -> int:
        if monotonic() < self._not_before:
            return 0
        if self._line is not None:
            try:
                return question(self._line)
            except TimeoutError:
                raise
            except Exception:  # noqa: BLE001  # as above; RabbitMQ was started again, or ended an old connection
                self._hang_up()
        self._line = _Line(self._url)
        return question(self._line)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None


def _capacity(line: _Line, queue: Queue) -> int:
    return max(most_outstanding(queue) - line.waiting(queue), 0)


def _fill(line: _Line, queue: Queue, wake_ups: Sequence[WakeUp]) -> int:
    some = wake_ups[: _capacity(line, queue)]
    for wake_up in some:
        line.publish(wake_up)
    return len(some)


class AsyncAmqpWake:
    """The publisher of an asyncio program: the other one, in a thread."""

    def __init__(self, broker_url: str) -> None:
        self._wake = AmqpWake(broker_url)

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As AmqpWake.publish."""
        return await asyncio.to_thread(self._wake.publish, wake_ups)

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._wake.close)


def prepare(broker_url: str) -> tuple[str, str]:
    """Make every queue, and return the broker's name and version; raise what kombu raises when that cannot be."""
    line = _Line(broker_url)
    try:
        for queue in Queue:
            line.waiting(queue)
        return str(line.server.get("product", "")), str(line.server.get("version", ""))
    finally:
        line.close()
