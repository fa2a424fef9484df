"""The simulator's own endpoints under /sim, on a port of their own: they look at the venue, and steer it.

They need no token: the program listens on loopback only.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.domain.bar import to_ticks
from simulator import wire
from simulator.faults import Fault, Faults, storm
from simulator.limits import Limits
from simulator.logins import Logins
from simulator.market.script import Step
from simulator.venue.records import AccountSettings, Stage
from simulator.venue.venue import Venue
from simulator.visits import Visits

T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request says; a misspelt field is refused."""


class Storm(_Body, frozen=True):
    """Faults of every kind, each request meeting one with this probability."""

    storm: Annotated[float, msgspec.Meta(gt=0, le=1)]


class ScriptStep(_Body, frozen=True):
    """A step of a script, as simulator.market.script.Step, with prices in money."""

    price: Decimal
    seconds: Annotated[float, msgspec.Meta(gt=0)]
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Annotated[int, msgspec.Meta(ge=0)] = 0


class Play(_Body, frozen=True):
    """What a contract shall do from now on."""

    contract_id: str
    steps: list[ScriptStep]


class NewAccount(_Body, frozen=True):
    """An account to open."""

    stage: Stage
    size: int = 50_000
    balance: Decimal | None = None


class User(_Body, frozen=True):
    """A user to let in, with accounts to open; the user of the settings keeps their key."""

    user: str
    key: str | None = None
    accounts: list[NewAccount] = []


class Move(_Body, frozen=True):
    """How far a stepped clock shall move, in seconds of market time."""

    seconds: Annotated[float, msgspec.Meta(ge=0)]


class Control:
    """Looks at one venue and what surrounds it."""

    def __init__(self, venue: Venue, logins: Logins, limits: Limits, visits: Visits, faults: Faults) -> None:
        self._venue = venue
        self._logins = logins
        self._limits = limits
        self._visits = visits
        self._faults = faults
        self._routes: list[Route] = []
        self._serve("GET", "/sim", self.overview)
        self._serve("GET", "/sim/status", self.status)
        self._serve("GET", "/sim/requests", self.requests)
        self._serve("GET", "/sim/faults", self.faults)
        self._serve("PUT", "/sim/faults", self.set_faults)
        self._serve("POST", "/sim/faults", self.add_fault)
        self._serve("DELETE", "/sim/faults", self.disarm)
        self._serve("PUT", "/sim/market", self.play)
        self._serve("PUT", "/sim/users", self.set_user)
        self._serve("PUT", "/sim/accounts/{account_id:int}", self.set_account)
        self._serve("PUT", "/sim/clock", self.move_clock)
        self.app = Starlette(routes=self._routes)

    def _serve(self, method: str, path: str, answer: Callable[[Request, bytes], object]) -> None:
        self._routes.append(Route(path, _answering(answer), methods=[method]))

    def overview(self, _: Request, __: bytes) -> object:
        """List what there is."""
        return {
            "endpoints": {
                f"{method} {route.path}": str(route.name)
                for route in self._routes
                for method in sorted((route.methods or set()) - {"HEAD"})
            },
            "users": self._logins.users(),
        }

    def status(self, _: Request, __: bytes) -> object:
        """Say what time it is in the market, and whether it trades."""
        now, market = self._venue.now(), self._venue.market
        ends = market.ends_market_at
        return {
            "market": market.name,
            "market_now": now,
            "is_open": any(market.is_open(contract, now) for contract in market.contracts(now)),
            "is_silent": ends is not None and now >= ends,
            "ends_market_at": ends,
            "order_count": len(self._venue.book.orders),
            "fill_count": len(self._venue.book.fills),
        }

    def requests(self, request: Request, _: bytes) -> object:
        """Count requests since the start, those refused with 429, and list accepted tags; with ?path= latest bodies."""
        path = request.query_params.get("path")
        if path is not None:
            return self._visits.bodies(path)
        return {
            "counts": dict(self._visits.counts),
            "refused": dict(self._limits.refused),
            "tags": self._venue.book.accepted_tags(),
        }

    def faults(self, _: Request, __: bytes) -> object:
        """List what is armed, and how often each was met."""
        return {"armed": self._faults.armed(), "met": dict(self._faults.met)}

    def set_faults(self, _: Request, body: bytes) -> object:
        """Arm these faults, and no others: a list of them, or {"storm": 0.05}."""
        wanted = _read(body, list[Fault] | Storm)
        self._faults.disarm()
        self._faults.arm(storm(wanted.storm) if isinstance(wanted, Storm) else wanted)
        return None

    def add_fault(self, _: Request, body: bytes) -> object:
        """Arm one more fault."""
        self._faults.arm([_read(body, Fault)])
        return None

    def disarm(self, _: Request, __: bytes) -> object:
        """Forget every armed fault."""
        self._faults.disarm()
        return None

    def play(self, _: Request, body: bytes) -> object:
        """Let a contract's price follow these steps from now on; without steps it stands."""
        wanted = _read(body, Play)
        contract = self._venue.market.contract(wanted.contract_id, self._venue.now())
        if contract is None:
            raise LookupError(f"the market has no contract {wanted.contract_id!r}")

        def ticks(price: Decimal | None) -> int | None:
            return None if price is None else to_ticks(price, contract.tick_size)

        steps = [
            Step(
                price=to_ticks(step.price, contract.tick_size), seconds=step.seconds, open=ticks(step.open),
                high=ticks(step.high), low=ticks(step.low), volume=step.volume,
            )
            for step in wanted.steps
        ]  # fmt: skip
        self._venue.play(contract.id, steps)
        return None

    def set_user(self, _: Request, body: bytes) -> object:
        """Let in a user, and open accounts for them; return the accounts' ids."""
        wanted = _read(body, User)
        if wanted.key is not None:
            self._logins.add_user(wanted.user, wanted.key)
        elif wanted.user.lower() not in self._logins.users():
            raise ValueError(f"user {wanted.user!r} is not known: give a key to let them in")
        opened = [
            self._venue.add_account(wanted.user, new.stage, new.size, balance=new.balance) for new in wanted.accounts
        ]
        return {"accounts": [{"id": account.id, "name": account.name} for account in opened]}

    def set_account(self, request: Request, body: bytes) -> object:
        """Change an account's settings, as its owner or the firm would."""
        account_id = int(request.path_params["account_id"])
        if not self._venue.set_account(account_id, _read(body, AccountSettings)):
            raise LookupError(f"there is no account {account_id}")
        return None

    def move_clock(self, _: Request, body: bytes) -> object:
        """Move the market's clock on, if it is one that stands."""
        return {"market_now": self._venue.step(timedelta(seconds=_read(body, Move).seconds))}


def _read(body: bytes, type_: type[T] | Any) -> Any:  # noqa: ANN401  # a union is no type to a type checker
    return msgspec.json.decode(body, type=type_)


def _answering(answer: Callable[[Request, bytes], object]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            found = answer(request, await request.body())
        except LookupError as error:
            return _json({"detail": str(error.args[0])}, 404)
        except (msgspec.MsgspecError, ValueError) as error:
            return _json({"detail": str(error)}, 400)
        return Response(status_code=204) if found is None else _json(found)

    handle.__name__ = answer.__name__
    return handle


def _json(value: object, status: int = 200) -> Response:
    return Response(wire.encoded(value), status_code=status, media_type="application/json")
