"""The subscriptions of a hub: its methods, their arguments, and the subscribers of each topic."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from simulator import request_bodies
from simulator.hubs.connection import Connection
from simulator.hubs.protocol import Invocation, SentMessageType, encode_completion

Subject = int | str | None  # an account id, a contract id, or None for a method without arguments
Topic = tuple[str, Subject]  # the target of its events, and their subject
NO_METHOD = "Method does not exist."
_SUBSCRIBE, _UNSUBSCRIBE = "Subscribe", "Unsubscribe"
# The arguments of a method.
NO_ARGUMENTS, ACCOUNT_ARGUMENT, CONTRACT_ARGUMENT = tuple[()], tuple[request_bodies.Int32], tuple[str]


class Topics:
    """The subscribers of each topic; a subscription ends with its connection."""

    def __init__(self) -> None:
        self._listeners: defaultdict[Topic, dict[Connection, None]] = defaultdict(dict)

    def add(self, topic: Topic, connection: Connection) -> None:
        """Subscribe a client."""
        self._listeners[topic][connection] = None

    def remove(self, topic: Topic, connection: Connection) -> None:
        """Unsubscribe a client; nothing happens if it is not subscribed."""
        self._listeners[topic].pop(connection, None)
        if not self._listeners[topic]:
            del self._listeners[topic]

    def forget(self, connection: Connection) -> None:
        """Remove all subscriptions of a client."""
        for topic in list(self._listeners):
            self.remove(topic, connection)

    def listeners(self, topic: Topic) -> Iterable[Connection]:
        """Return the subscribers of a topic, in the order of subscription."""
        return tuple(self._listeners.get(topic, ()))

    def has(self, topic: Topic, connection: Connection) -> bool:
        """Whether a client is subscribed to a topic."""
        return connection in self._listeners.get(topic, ())

    def list_all(self) -> set[Topic]:
        """Return the topics that have a subscriber."""
        return set(self._listeners)


class HubServer:
    """A hub: `Subscribe<x>` and `Unsubscribe<x>` for each x of `methods`, with the event target and the arguments."""

    name: ClassVar[str]
    methods: ClassVar[dict[str, tuple[str, Any]]]

    def __init__(self) -> None:
        self.topics = Topics()

    def invoke(self, connection: Connection, call: Invocation) -> None:
        """Execute a call and answer it if it has an id; a new subscription then gets its snapshot."""
        topic = self._parse_topic(call)
        is_new = isinstance(topic, tuple) and call.target.startswith(_SUBSCRIBE)
        error = topic if isinstance(topic, str) else self.subscription_error(connection, topic) if is_new else None
        if call.invocation_id is not None:
            connection.send(encode_completion(call.invocation_id, error))
        if isinstance(topic, str) or error is not None:
            return
        if is_new:
            self.topics.add(topic, connection)
            self.send_snapshot(connection, topic)
        else:
            self.topics.remove(topic, connection)

    def forget(self, connection: Connection) -> None:
        """Remove a client whose connection is closed."""
        self.topics.forget(connection)

    def subscription_error(self, connection: Connection, topic: Topic) -> str | None:
        """Return the error text for a subscription that is refused, or None."""
        raise NotImplementedError

    def send_snapshot(self, connection: Connection, topic: Topic) -> None:
        """Send a new subscriber the current state, now or before its first event; by default nothing."""

    def _parse_topic(self, call: Invocation) -> Topic | str:
        """Return the topic of a call, or its error text."""
        prefix = _SUBSCRIBE if call.target.startswith(_SUBSCRIBE) else _UNSUBSCRIBE
        method = self.methods.get(call.target.removeprefix(prefix)) if call.target.startswith(prefix) else None
        if method is None:
            return NO_METHOD
        if call.type == SentMessageType.STREAM_INVOCATION:
            return (
                f"The client attempted to invoke the non-streaming '{call.target}' method with a streaming invocation."
            )
        target, arguments = method
        try:
            return target, next(iter(msgspec.convert(call.arguments, arguments)), None)
        except msgspec.ValidationError:
            return f"Failed to invoke '{call.target}' due to an error on the server."
