"""What a client can subscribe to: a hub's methods, their arguments, and who listens to what."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from simulator import request_bodies
from simulator.hubs.connection import Connection
from simulator.hubs.protocol import Invocation, SentMessageType, completion

Subject = int | str | None  # an account, a contract, or nothing to choose from
Topic = tuple[str, Subject]  # the target of its events, and what they are about
NO_METHOD = "Method does not exist."
_SUBSCRIBE, _UNSUBSCRIBE = "Subscribe", "Unsubscribe"
NOTHING, ACCOUNT, CONTRACT = tuple[()], tuple[request_bodies.Int32], tuple[str]  # the arguments of a method


class Topics:
    """Who listens to what; it ends with the connection."""

    def __init__(self) -> None:
        self._listeners: defaultdict[Topic, dict[Connection, None]] = defaultdict(dict)

    def add(self, topic: Topic, connection: Connection) -> None:
        """Let a client listen."""
        self._listeners[topic][connection] = None

    def remove(self, topic: Topic, connection: Connection) -> None:
        """Let it listen no more; nothing happens if it did not."""
        self._listeners[topic].pop(connection, None)
        if not self._listeners[topic]:
            del self._listeners[topic]

    def forget(self, connection: Connection) -> None:
        """Remove a client from everything."""
        for topic in list(self._listeners):
            self.remove(topic, connection)

    def listeners(self, topic: Topic) -> Iterable[Connection]:
        """Return who listens, in the order they came."""
        return tuple(self._listeners.get(topic, ()))

    def subjects(self) -> set[Subject]:
        """Return what anything is wanted about."""
        return {subject for _, subject in self._listeners}


class HubServer:
    """A hub's methods: `Subscribe<x>` and `Unsubscribe<x>` for each x of `methods`: the events, and the arguments."""

    name: ClassVar[str]
    methods: ClassVar[dict[str, tuple[str, Any]]]

    def __init__(self) -> None:
        self.topics = Topics()

    def invoke(self, connection: Connection, call: Invocation) -> None:
        """Do what a client asks and answer it, if it wants an answer; what it shall see first comes after that."""
        topic = self._topic_of(call)
        is_new = isinstance(topic, tuple) and call.target.startswith(_SUBSCRIBE)
        error = topic if isinstance(topic, str) else self.reason_against(connection, topic) if is_new else None
        if call.invocation_id is not None:
            connection.send(completion(call.invocation_id, error))
        if isinstance(topic, str) or error is not None:
            return
        if is_new:
            self.topics.add(topic, connection)
            self.greet(connection, topic)
        else:
            self.topics.remove(topic, connection)

    def forget(self, connection: Connection) -> None:
        """Forget a client that has gone."""
        self.topics.forget(connection)

    def reason_against(self, connection: Connection, topic: Topic) -> str | None:
        """Return why a client may not listen to a topic, or None."""
        raise NotImplementedError

    def greet(self, connection: Connection, topic: Topic) -> None:
        """Tell a client that begins to listen how things stand."""

    def _topic_of(self, call: Invocation) -> Topic | str:
        """Return what a call is about, or what is wrong with it."""
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
