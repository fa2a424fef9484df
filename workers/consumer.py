"""Celery's consumer for RabbitMQ, without the twenty-eight queues that it keeps there for delayed messages."""

from celery.worker.consumer import Consumer as CelerysConsumer


class Consumer(CelerysConsumer):
    """Delays nothing: what is to run later waits on its row."""

    class Blueprint(CelerysConsumer.Blueprint):  # type: ignore[misc, valid-type]  # typed as a variable
        """The steps of a worker's start."""

        default_steps = tuple(step for step in CelerysConsumer.Blueprint.default_steps if "delayed" not in step)
