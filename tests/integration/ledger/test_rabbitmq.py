"""RabbitMQ as the broker: its messages, its queues, and its outages."""

import json
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import amqp
import kombu
import pytest
from celery import Celery

from cli.local.servers.broker import check_broker
from shared.clock import monotonic
from shared.errors import SettingsError
from shared.fleets import Queue, max_outstanding
from shared.ids import new_id
from shared.ledger.envelope import WakeUp
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.publisher import Publisher, open_publisher
from shared.ledger.publisher_amqp import AmqpPublisher
from tests.fixtures.broker import Broker
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.processes import until
from tests.fixtures.wire_tap import WireTap

pytestmark = pytest.mark.rabbitmq

QUEUE = Queue.NORMAL
MOST = max_outstanding(QUEUE)
_DIFFERS = {"origin", "timelimit", "reply_to"}  # the sender, and values that we choose


def wake_ups(count: int) -> list[WakeUp]:
    return [WakeUp(new_id(), "upkeep.do_nothing", QUEUE, timedelta(seconds=30)) for _ in range(count)]


def first_of(broker: Broker, queue: str) -> Any:
    with kombu.Connection(broker.url) as connection:
        return kombu.Queue(queue, channel=connection.channel()).get(no_ack=True)


@pytest.fixture
def publisher(broker: Broker) -> Any:
    publisher = open_publisher(broker.url)
    yield publisher
    publisher.close()


def test_our_message_equals_celerys_message(broker: Broker, publisher: Publisher) -> None:
    (ours,) = wake_ups(1)
    publisher.publish([ours])
    mine = first_of(broker, QUEUE)
    with Celery(broker=broker.url, set_as_current=False) as app:
        job_id = str(ours.job_id)
        queue = kombu.Queue(QUEUE.value, no_declare=True)
        app.send_task(
            "upkeep.do_nothing", args=[job_id], task_id=job_id, exchange="", routing_key=QUEUE.value,
            queue=queue,  # type: ignore[arg-type]  # the stub knows a queue's name only
            ignore_result=True,
        )  # fmt: skip
        until(lambda: broker.waiting(QUEUE) == 1)
    theirs = first_of(broker, QUEUE)

    assert json.loads(theirs.body) == json.loads(mine.body)
    for part in ("headers", "properties"):
        expected, found = ({**getattr(one, part)} for one in (theirs, mine))
        expected, found = (one | one.pop("application_headers", {}) for one in (expected, found))
        assert {k: v for k, v in expected.items() if k not in _DIFFERS} == {
            k: v for k, v in found.items() if k not in _DIFFERS
        }
    assert (theirs.content_type, theirs.content_encoding) == (mine.content_type, mine.content_encoding)


def test_every_queue_is_a_quorum_queue(broker: Broker) -> None:
    check_broker(broker.url)
    for queue in Queue:
        with kombu.Connection(broker.url) as connection, pytest.raises(amqp.PreconditionFailed, match="'quorum'"):
            kombu.Queue(queue.value, durable=True, channel=connection.channel()).queue_declare()


def test_a_queue_takes_wake_ups_up_to_its_capacity(broker: Broker, publisher: Publisher) -> None:
    assert (MOST, MOST) == (publisher.capacity(QUEUE), publisher.publish(wake_ups(MOST + 10)))
    assert (0, 0) == (publisher.capacity(QUEUE), publisher.publish(wake_ups(1)))
    assert MOST == broker.waiting(QUEUE)


def test_threads_can_share_a_publisher(broker: Broker, publisher: Publisher) -> None:
    sent: list[int] = []
    threads = [threading.Thread(target=lambda: sent.append(publisher.publish(wake_ups(3)))) for _ in range(MOST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (MOST, MOST) == (sum(sent), broker.waiting(QUEUE))


def test_a_publisher_reconnects_at_once_after_its_connection_is_cut(broker: Broker, publisher: Publisher) -> None:
    for _ in range(3):
        assert 1 == publisher.publish(wake_ups(1))
        broker.cut()
    assert 1 == publisher.publish(wake_ups(1))


def test_a_hanging_broker_delays_one_caller_by_a_second_and_the_next_not_at_all(broker: Broker) -> None:
    with WireTap(broker.url) as wire:
        publisher = AmqpPublisher(wire.url)
        assert 1 == publisher.publish(wake_ups(1))
        wire.block()
        began = monotonic()
        assert (0, None) == (publisher.publish(wake_ups(1)), publisher.capacity(QUEUE))
        assert monotonic() - began < 10  # a busy computer's second
        began = monotonic()
        assert {None} == {publisher.capacity(QUEUE) for _ in range(30)}  # one of these calls may try to connect
        assert monotonic() - began < 10
        wire.restore()
        until(lambda: publisher.publish(wake_ups(1)) == 1, what="a wake-up after the outage")
        publisher.close()


def test_wake_ups_of_a_killed_worker_are_redelivered_and_its_jobs_run_only_after_their_leases(
    ledger_env: LedgerEnv,
) -> None:
    first = ledger_env.start("workers", "normal")
    job_ids = [ledger_env.enqueue(DoNothing(seconds=60)) for _ in range(4)]
    ledger_env.wait_for("running", *job_ids)
    assert 0 == ledger_env.broker.waiting(QUEUE)
    first.kill()
    until(lambda: ledger_env.broker.waiting(QUEUE) == 4, what="the four wake-ups, delivered again")

    ledger_env.start("workers", "normal")
    until(lambda: ledger_env.broker.waiting(QUEUE) == 0, 60, "a worker that takes them")
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(note="after them")))
    assert {("running", 1)} == {(row["state"], row["attempt"]) for row in map(ledger_env.row, job_ids)}
    ledger_env.execute("UPDATE job SET arguments = '{}', lease_until = now() WHERE state = 'running'")
    ledger_env.start("scheduler", "relay")
    assert {2} == {row["attempt"] for row in ledger_env.wait_for("succeeded", *job_ids)}


def test_a_worker_whose_connection_is_cut_continues_in_the_same_process(ledger_env: LedgerEnv) -> None:
    worker = ledger_env.start("workers", "normal")
    worker.wait_until_running()
    job_id = ledger_env.enqueue(DoNothing(seconds=3))
    ledger_env.wait_for("running", job_id)
    ledger_env.broker.cut()

    ledger_env.wait_for("succeeded", job_id, ledger_env.enqueue(DoNothing(note="after it")))
    assert 1 == ledger_env.row(job_id)["attempt"]
    assert worker.is_alive()
    assert "Connection to broker lost" in worker.log.read_text()  # the connection was really cut


def test_a_worker_takes_one_wake_up_per_slot_and_leaves_the_rest_in_the_queue(ledger_env: LedgerEnv) -> None:
    ledger_env.start("workers", "normal").wait_until_running()
    job_ids = [ledger_env.enqueue(DoNothing(seconds=60)) for _ in range(6)]
    ledger_env.wait_for("running", *job_ids[:4])

    assert 2 == ledger_env.broker.waiting(QUEUE)


@pytest.mark.parametrize(
    ("user", "path", "hint"),
    [
        ("tickwork:wrong", "tickwork", "Check user and password"),
        ("", "unknown", "Make the vhost"),
    ],
)
def test_a_rabbitmq_that_refuses_our_login_is_reported_with_a_hint(
    broker: Broker, user: str, path: str, hint: str
) -> None:
    parts = urlsplit(broker.url)
    login, _, host = parts.netloc.rpartition("@")

    with pytest.raises(SettingsError, match=hint) as refused:
        check_broker(parts._replace(netloc=f"{user or login}@{host}", path=f"/{path}").geturl())
    assert "wrong" not in str(refused.value)
    assert (parts.password or "") not in str(refused.value)


def test_a_queue_of_another_program_with_our_name_is_reported_with_a_hint(broker: Broker) -> None:
    with kombu.Connection(broker.url) as connection:
        foreign_queue = kombu.Queue(Queue.LOW.value, durable=True, channel=connection.channel())
        foreign_queue.delete()
        foreign_queue.queue_declare()
        try:
            with pytest.raises(SettingsError, match="give Tickwork a vhost of its own"):
                check_broker(broker.url)
        finally:
            foreign_queue.delete()
