"""What the account tells while an entry fills: the events of the user hub, its balance, and whether others trade."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import RefusedError, TickworkError, VenueDownError
from shared.log import mask_secrets
from simulator.conformance.context import Row
from simulator.conformance.order_session import OrderSession
from simulator.conformance.results import CheckResult, Question

ACCOUNT, ORDER = "GatewayUserAccount", "GatewayUserOrder"
POSITION, TRADE = "GatewayUserPosition", "GatewayUserTrade"


@dataclass
class EventsSince:
    """The events of the user hub since a point of the run, of the account and contract alone."""

    session: OrderSession
    start: int = field(init=False)

    def __post_init__(self) -> None:
        self.start = len(self.session.hub.events)

    def rows(self, target: str = "") -> list[tuple[str, object, Row]]:
        """Return the target, the action ("none" without one) and the row of each event.

        Raise VenueDownError if the hub has closed meanwhile, RefusedError if a record of it could not be read.
        """
        self.session.hub.require_open()
        found = []
        for event in self.session.hub.events[self.start :]:
            payload = event.arguments[0] if event.arguments else None
            for part in payload if isinstance(payload, list) else [payload]:
                if isinstance(part, dict) and target in {"", event.target}:
                    is_wrapped = isinstance(part.get("data"), dict)
                    row = part["data"] if is_wrapped else part
                    if self._is_own(event.target, row):
                        found.append((event.target, part.get("action", "none"), row))
        return found

    def _is_own(self, target: str, row: Row) -> bool:
        """Whether a row is of the account and contract; one that does not say so is."""
        context = self.session.context
        account_id = row.get("id" if target == ACCOUNT else "accountId", context.account_id)
        return account_id == context.account_id and ("contractId" not in row or context.is_in_contract(row))


class BeforeEntry:
    """The account before an entry: events of it and its balance do not say which contract has changed it."""

    def __init__(self, session: OrderSession) -> None:
        self._own = session.own
        self._others = self._search_others()
        self.balance = session.balance()

    def have_others_traded(self) -> bool:
        """Whether Trade/search shows a new fill on the account that is not of this run."""
        others = self._search_others()
        return others is not None and self._others is not None and not others <= self._others

    def _search_others(self) -> set[int] | None:
        with contextlib.suppress(TickworkError):  # a question of its own asks what Trade/search answers
            return self._own.search_other_trades()
        return None


def ask_events(question: Question, assess: Callable[[], CheckResult]) -> CheckResult:
    """Return the result of a question about events; a hub that closes, or sends no JSON, concerns no other question."""
    try:
        return assess()
    except RefusedError as error:
        return question.assess(mask_secrets(str(error)), is_same=False)
    except VenueDownError as error:
        return question.fail(mask_secrets(str(error)))
