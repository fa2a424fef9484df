"""BROKER_URL: its schemes, its default, and the configuration of a worker for each broker."""

import pytest

from shared.config import Settings, load_settings
from shared.errors import SettingsError
from shared.fleets import Queue, fleet_named
from shared.ledger.publisher import is_amqp
from workers.app import make_app

REDIS = "redis://:hush@127.0.0.1:6379/0"
RABBIT = "amqp://me:hush@127.0.0.1:5672/work"


def settings(**env: str) -> Settings:
    return load_settings({"TICKWORK_HOME": "/nowhere", "REDIS_URL": REDIS} | env)


@pytest.mark.parametrize("url", [RABBIT, "amqps://me:hush@broker.test/work", "redis://:hush@127.0.0.1:6379/7"])
def test_wake_ups_go_to_broker_url(url: str) -> None:
    assert (url, REDIS) == (settings(BROKER_URL=url).require_broker(), settings(BROKER_URL=url).require_redis())


@pytest.mark.parametrize("env", [{}, {"BROKER_URL": ""}])
def test_without_broker_url_redis_is_the_broker(env: dict[str, str]) -> None:
    assert REDIS == settings(**env).require_broker()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://me:hush@host:9092/x", "'kafka://***@host:9092/x'"),
        ("me:hush@host:5672", "'***@host:5672'"),
        ("pyamqp://me:hu/sh@host", "'pyamqp://***@host'"),
        ("sqs://host/x?password=hush", "'sqs://host/x'"),
        ("127.0.0.1:5672", "'127.0.0.1:5672'"),
        ("kafka://me:hu?hush@host/x", "'kafka://***@host/x'"),
    ],
)
def test_another_scheme_is_refused_with_the_value_but_without_the_password(url: str, shown: str) -> None:
    with pytest.raises(
        SettingsError, match=r"invalid BROKER_URL .*: expected a RabbitMQ URL such as amqp://"
    ) as refused:
        settings(BROKER_URL=url)
    assert shown in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "hu/sh" not in str(refused.value)


@pytest.mark.parametrize("name", ["BROKER_URL", "DATABASE_URL", "REDIS_URL", "TICKWORK_VENUE_URL"])
@pytest.mark.parametrize("url", ["amqp://me:[hush]@host/v", "amqp://me:hu[sh@host/v", "amqp://me:hush@[::1/v"])
def test_a_bracket_in_a_password_is_an_error_that_does_not_quote_it(name: str, url: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"invalid {name}: expected a URL in which \[ and \] stand only"
    ) as refused:
        settings(**{name: url})
    assert refused.value.__suppress_context__
    assert "hu" not in str(refused.value)


@pytest.mark.parametrize("url", ["ftp://me:hush@host", "http://me:hush@host", "https://me:hush@a..b"])
def test_a_password_in_the_address_of_the_venue_is_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="invalid TICKWORK_VENUE_URL") as refused:
        settings(TICKWORK_VENUE_URL=url)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("url", [RABBIT, "amqps://me:hush@h/", "redis://h", "rediss://h"])
def test_amqp_and_amqps_are_rabbitmq(url: str) -> None:
    assert url.startswith("amqp") == is_amqp(url)


def test_a_rabbitmq_worker_has_quorum_queues_and_no_redis_options() -> None:
    conf = make_app(settings(BROKER_URL=RABBIT), fleet_named("bulk")).conf

    assert [("low", "quorum"), ("background", "quorum")] == [
        (queue.name, queue.queue_arguments["x-queue-type"]) for queue in conf.task_queues
    ]
    assert {"client_properties"} == set(conf.broker_transport_options)
    assert (True, 1, True) == (
        conf.worker_detect_quorum_queues, conf.worker_prefetch_multiplier, conf.task_acks_late
    )  # fmt: skip


@pytest.mark.parametrize("env", [{}, {"BROKER_URL": "redis://127.0.0.1:6379/7"}])
def test_a_redis_worker_has_the_redis_options(env: dict[str, str]) -> None:
    conf = make_app(settings(**env)).conf

    assert [None] * len(Queue) == [queue.queue_arguments for queue in conf.task_queues]
    assert ("priority", 5) == (
        conf.broker_transport_options["queue_order_strategy"], conf.broker_transport_options["socket_timeout"]
    )  # fmt: skip
