"""The broker that BROKER_URL names: whether it can serve us."""

from cli.local.servers.valkey import check_version
from shared.errors import SettingsError
from shared.ledger.wake import is_amqp
from shared.log import masked

OLDEST_RABBITMQ = (3, 10)


def check_broker(url: str) -> str:
    """Return what answers at `url`, having made our queues there; raise SettingsError when it cannot serve us."""
    if not is_amqp(url):
        check_version(url, "BROKER_URL")
        return "Redis"
    from shared.ledger.wake_amqp import prepare  # noqa: PLC0415  # only who has a RabbitMQ loads kombu

    try:
        product, version = prepare(url)
    except Exception as error:  # noqa: BLE001  # what an AMQP connection may fail with is no one family
        words = str(error) or type(error).__name__
        raise SettingsError(f"BROKER_URL {masked(url)} cannot serve us: {words}. {_hint(words)}") from None
    found = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if product == "RabbitMQ" and tuple(found) < OLDEST_RABBITMQ:
        oldest = ".".join(map(str, OLDEST_RABBITMQ))
        raise SettingsError(f"RabbitMQ {version} at {masked(url)} is too old: Tickwork needs {oldest} or newer")
    return f"{product} {version}"


def _hint(words: str) -> str:
    if "PRECONDITION_FAILED" in words:
        return "Another program has a queue of that name there: give Tickwork a vhost of its own"
    if "ACCESS_REFUSED" in words:
        return "Check user and password, and that the user may configure, write and read in the vhost"
    if "NOT_ALLOWED" in words:
        return "Make the vhost (`rabbitmqctl add_vhost`), or name another"
    return "Check that RabbitMQ runs there and speaks AMQP on that port"
