"""The check of the broker that BROKER_URL names."""

from cli.local.servers.valkey import check_redis
from shared.errors import SettingsError
from shared.ledger.publisher import is_amqp
from shared.log import mask_secrets

OLDEST_RABBITMQ = (3, 10)


def check_broker(url: str) -> str:
    """Declare our queues at `url` and return the broker's product and version; raise SettingsError if unusable."""
    if not is_amqp(url):
        check_redis(url, "BROKER_URL")
        return "Redis"
    from shared.ledger.publisher_amqp import declare_queues  # noqa: PLC0415  # only a RabbitMQ needs kombu

    try:
        product, version = declare_queues(url)
    except Exception as error:  # noqa: BLE001  # the errors of an AMQP connection share no base class
        message = str(error) or type(error).__name__
        raise SettingsError(
            f"BROKER_URL {mask_secrets(url)} is not usable: {message}. {_suggest_fix(message)}"
        ) from None
    found = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if product == "RabbitMQ" and tuple(found) < OLDEST_RABBITMQ:
        oldest = ".".join(map(str, OLDEST_RABBITMQ))
        raise SettingsError(f"RabbitMQ {version} at {mask_secrets(url)} is too old: Tickwork needs {oldest} or newer")
    return f"{product} {version}"


def _suggest_fix(message: str) -> str:
    if "PRECONDITION_FAILED" in message:
        return "Another program declared a queue of this name: give Tickwork a vhost of its own"
    if "ACCESS_REFUSED" in message:
        return "Check user and password, and the user's permissions to configure, write and read in the vhost"
    if "NOT_ALLOWED" in message:
        return "Make the vhost (`rabbitmqctl add_vhost`), or use another"
    return "Check that RabbitMQ runs there and serves AMQP on this port"
