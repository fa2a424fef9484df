"""The user hub: a user's accounts, orders, positions and fills as they change, with event faults."""

import asyncio
from typing import ClassVar

from simulator.faults import Faults
from simulator.hubs.connection import Connection
from simulator.hubs.events import HubEvent, events_of
from simulator.hubs.protocol import encode_invocation
from simulator.hubs.topics import ACCOUNT_ARGUMENT, NO_ARGUMENTS, HubServer, Topic
from simulator.venue.records import Change
from simulator.venue.user_view import UserView
from simulator.venue.venue import Venue

_ACCOUNT_NOT_FOUND = "Account not found."


class UserHub(HubServer):
    """Publishes the changes of accounts to the clients that subscribed to them.

    Faults are drawn for an event that has a subscriber: `event_lost`, `event_unwrapped` (without action),
    `event_duplicate`, `event_late` (by its `seconds`), `event_reorder` (after the next event, or after its `seconds`
    when none comes). The stream has no replay: an event that is lost or has no subscriber is never sent again.
    """

    name = "user"
    methods: ClassVar = {
        "Accounts": ("GatewayUserAccount", NO_ARGUMENTS),
        "Orders": ("GatewayUserOrder", ACCOUNT_ARGUMENT),
        "Positions": ("GatewayUserPosition", ACCOUNT_ARGUMENT),
        "Trades": ("GatewayUserTrade", ACCOUNT_ARGUMENT),
    }

    def __init__(self, venue: Venue, owner: str, faults: Faults) -> None:
        super().__init__()
        self._venue = venue
        self._owner = owner
        self._faults = faults
        self._delayed: list[_PendingEvent] = []
        venue.state.listeners.append(self.publish)

    def subscription_error(self, connection: Connection, topic: Topic) -> str | None:
        """Return an error for an account of another user [SIM]."""
        account_id = topic[1]
        return None if account_id is None or self._may_see(connection, account_id) else _ACCOUNT_NOT_FOUND

    def publish(self, change: Change) -> None:
        """Send the events of a change of the state to their subscribers."""
        for event in events_of(change):
            listeners = self._listeners(event)
            if listeners:
                self._publish_event(event, listeners)

    def _publish_event(self, event: HubEvent, listeners: list[Connection]) -> None:
        draw = self._faults.draw
        if draw("event_lost"):
            return
        content = event.data if draw("event_unwrapped") else {"action": event.action, "data": event.data}
        pending = _PendingEvent(
            encode_invocation(event.target, content) * (2 if draw("event_duplicate") else 1), listeners
        )
        if late := draw("event_late"):
            asyncio.get_running_loop().call_later(late.seconds, pending.send)
        elif early := draw("event_reorder"):
            self._delayed.append(pending)
            asyncio.get_running_loop().call_later(early.seconds, self._send_delayed, [pending])
        else:
            pending.send()
            self._send_delayed(list(self._delayed))

    def _send_delayed(self, delayed: list["_PendingEvent"]) -> None:
        for pending in delayed:
            if pending in self._delayed:
                self._delayed.remove(pending)
                pending.send()

    def _listeners(self, event: HubEvent) -> list[Connection]:
        subject = None if event.target == "GatewayUserAccount" else event.account_id
        return [row for row in self.topics.listeners((event.target, subject)) if self._may_see(row, event.account_id)]

    def _may_see(self, connection: Connection, account_id: object) -> bool:
        user_view = UserView(self._venue, connection.user, self._owner)
        return isinstance(account_id, int) and user_view.account(account_id) is not None


class _PendingEvent:
    """An event on its way to the clients that were subscribed when it happened."""

    def __init__(self, record: str, listeners: list[Connection]) -> None:
        self._record = record
        self._listeners = listeners

    def send(self) -> None:
        for connection in self._listeners:
            connection.send(self._record)
