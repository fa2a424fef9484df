"""The user hub: a user's accounts, orders, positions and fills as they change, with the faults a stream can have."""

import asyncio
from typing import ClassVar

from simulator.faults import Faults
from simulator.hubs.connection import Connection
from simulator.hubs.events import HubEvent, events_of
from simulator.hubs.protocol import invocation
from simulator.hubs.topics import ACCOUNT, NOTHING, HubServer, Topic
from simulator.venue.records import Change
from simulator.venue.user_view import UserView
from simulator.venue.venue import Venue

NOT_THEIRS = "Account not found."


class UserHub(HubServer):
    """Tells each client what happens to the accounts it has subscribed to, as it happens.

    An event that somebody hears meets the faults of its kinds: `event_lost`, `event_unwrapped` (without action),
    `event_duplicate`, `event_late` (by its `seconds`), `event_reorder` (after the next event, or after its `seconds`
    when none comes). The stream has no replay: what is lost or said to nobody is not said again.
    """

    name = "user"
    methods: ClassVar = {
        "Accounts": ("GatewayUserAccount", NOTHING),
        "Orders": ("GatewayUserOrder", ACCOUNT),
        "Positions": ("GatewayUserPosition", ACCOUNT),
        "Trades": ("GatewayUserTrade", ACCOUNT),
    }

    def __init__(self, venue: Venue, owner: str, faults: Faults) -> None:
        super().__init__()
        self._venue = venue
        self._owner = owner
        self._faults = faults
        self._held_back: list[_Said] = []
        venue.state.listeners.append(self.tell)

    def reason_against(self, connection: Connection, topic: Topic) -> str | None:
        """Return why a client may not listen: [SIM] an account that is not its user's is an error."""
        account_id = topic[1]
        return None if account_id is None or self._may_see(connection, account_id) else NOT_THEIRS

    def tell(self, change: Change) -> None:
        """Send what a change of the state means to whoever listens."""
        for event in events_of(change):
            listeners = self._listeners(event)
            if listeners:
                self._tell(event, listeners)

    def _tell(self, event: HubEvent, listeners: list[Connection]) -> None:
        meet = self._faults.meet
        if meet("event_lost"):
            return
        content = event.data if meet("event_unwrapped") else {"action": event.action, "data": event.data}
        said = _Said(invocation(event.target, content) * (2 if meet("event_duplicate") else 1), listeners)
        if late := meet("event_late"):
            asyncio.get_running_loop().call_later(late.seconds, said.say)
        elif early := meet("event_reorder"):
            self._held_back.append(said)
            asyncio.get_running_loop().call_later(early.seconds, self._release, [said])
        else:
            said.say()
            self._release(list(self._held_back))

    def _release(self, held_back: list["_Said"]) -> None:
        for said in held_back:
            if said in self._held_back:
                self._held_back.remove(said)
                said.say()

    def _listeners(self, event: HubEvent) -> list[Connection]:
        about = None if event.target == "GatewayUserAccount" else event.account_id
        return [row for row in self.topics.listeners((event.target, about)) if self._may_see(row, event.account_id)]

    def _may_see(self, connection: Connection, account_id: object) -> bool:
        user_view = UserView(self._venue, connection.user, self._owner)
        return isinstance(account_id, int) and user_view.account(account_id) is not None


class _Said:
    """An event on its way to the clients that listened when it happened."""

    def __init__(self, record: str, listeners: list[Connection]) -> None:
        self._record = record
        self._listeners = listeners

    def say(self) -> None:
        for connection in self._listeners:
            connection.send(self._record)
