"""The simulator's own endpoints, under /sim on a port of their own: look at the venue, move it, make it misbehave.

They need no token: the port is on loopback, and a page of a web site that a browser shows is not let in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.clock import machine_now
from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.errors import TickworkError
from simulator import wire
from simulator.endpoints.control_bodies import ClockStep, NewAccount, NewUser, PricePath, PriceStep
from simulator.faults import EVERYWHERE, STREAM_KINDS, Fault, Preset
from simulator.logins import Logins
from simulator.market.clocks import SteppedClock
from simulator.market.script import Step
from simulator.pipeline import Pipeline
from simulator.venue.behaviour import Behaviour
from simulator.venue.records import AccountRecord, AccountSettings
from simulator.venue.venue import Venue

_HERE = {"127.0.0.1", "localhost"}
Answer = Callable[[Request, bytes], Response | Awaitable[Response]]


class ControlRequestError(TickworkError):
    """What was asked cannot be done; the text says why, the status what kind of mistake it is."""

    def __init__(self, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.status = status


def make_control(venue: Venue, logins: Logins, pipeline: Pipeline, paths: Collection[str]) -> Starlette:
    """Return the application of the control port; `paths` are those of the venue, where faults can happen."""
    return Starlette(routes=_Control(venue, logins, pipeline, paths).routes)


class _Control:
    """Looks at the venue, and changes what its clients cannot."""

    def __init__(self, venue: Venue, logins: Logins, pipeline: Pipeline, paths: Collection[str]) -> None:
        self._venue = venue
        self._logins = logins
        self._pipeline = pipeline
        self._paths = paths
        self._listing: list[tuple[str, str, str, Answer]] = [
            ("GET", "/sim", "this list", self._list),
            ("GET", "/sim/status", "what time it is in the market, whether it trades, who there is", self._status),
            (
                "GET",
                "/sim/requests",
                "requests by path, 429s by user, tags; ?path= for its last bodies",
                self._requests,
            ),
            ("GET", "/sim/faults", "the faults that are switched on, and how often each was met", self._faults),
            (
                "PUT",
                "/sim/faults",
                "switch on a fault, a list of them, or a preset, and no other",
                self._replace_faults,
            ),
            ("POST", "/sim/faults", "switch on a fault beside those that are", self._add_faults),
            ("DELETE", "/sim/faults", "switch off every fault", self._disarm),
            ("PUT", "/sim/market", "let a contract's price follow a path from now on; `wait` for its end", self._play),
            ("GET", "/sim/behaviour", "how the venue does what no document says", self._behaviour),
            ("PUT", "/sim/behaviour", "let it do so otherwise: see the page on the simulator", self._take_on),
            ("PUT", "/sim/clock", "move a stepped market on by some seconds", self._step),
            ("PUT", "/sim/users", "let in another user, or one with another key", self._add_user),
            ("POST", "/sim/accounts", "open an account", self._open_account),
            ("PUT", "/sim/accounts/{id}", "change an account's settings, such as its bracket_mode", self._set_account),
        ]
        self.routes = [Route(path, _guarded(answer), methods=[method]) for method, path, _, answer in self._listing]

    def _list(self, _: Request, __: bytes) -> Response:
        endpoints = [{"method": method, "path": path, "does": does} for method, path, does, _ in self._listing]
        return _json({"what": "the control port of the Tickwork simulator", "endpoints": endpoints})

    def _status(self, _: Request, __: bytes) -> Response:
        now, market = self._venue.now(), self._venue.market
        ends = market.ends_market_at
        return _json(
            {
                "market": market.name,
                "market_now": now,
                "machine_now": machine_now(),
                "speed": self._venue.clock.speed,
                "is_stepped": isinstance(self._venue.clock, SteppedClock),
                "is_open": any(market.is_open(contract, now) for contract in market.contracts(now)),
                "is_silent": ends is not None and now >= ends,
                "ends_market_at": ends,
                "limits": self._pipeline.limits.profile,
                "order_count": len(self._venue.state.orders),
                "fill_count": len(self._venue.state.fills),
                "users": self._logins.users(),
                "accounts": [_shown(account) for account in self._venue.state.accounts.values()],
            }
        )

    def _requests(self, request: Request, _: bytes) -> Response:
        path = request.query_params.get("path")
        if path is not None:
            return _json(self._pipeline.request_log.bodies(path))
        limited: dict[str, dict[str, int]] = {}
        for (user, where), count in self._pipeline.limits.refused.items():
            limited.setdefault(user, {})[where] = count
        counts = dict(self._pipeline.request_log.counts)
        return _json({"counts": counts, "limited": limited, "tags": self._venue.state.accepted_tags()})

    def _faults(self, _: Request, __: bytes) -> Response:
        return _json([msgspec.to_builtins(row.fault) | {"left": row.left, "met": row.met}
                      for row in self._pipeline.faults.armed])  # fmt: skip

    def _replace_faults(self, request: Request, raw: bytes) -> Response:
        faults, seed = self._read_faults(raw)
        self._pipeline.faults.replace(faults, seed)
        return self._faults(request, raw)

    def _add_faults(self, request: Request, raw: bytes) -> Response:
        faults, _ = self._read_faults(raw)
        for fault in faults:
            self._pipeline.faults.arm(fault)
        return self._faults(request, raw)

    def _disarm(self, _: Request, __: bytes) -> Response:
        self._pipeline.faults.disarm()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    def _read_faults(self, raw: bytes) -> tuple[list[Fault], int | None]:
        body = msgspec.json.decode(raw)
        if isinstance(body, dict) and "preset" in body:
            preset = msgspec.convert(body, Preset)
            return preset.faults(), preset.seed
        faults = msgspec.convert(body if isinstance(body, list) else [body], list[Fault])
        for fault in faults:
            if fault.on != EVERYWHERE and (fault.kind in STREAM_KINDS or fault.on not in self._paths):
                raise ControlRequestError(
                    f"{fault.kind} cannot happen on {fault.on!r}: {_WHERE} {', '.join(self._paths)}"
                )
        return faults, None

    async def _play(self, _: Request, raw: bytes) -> Response:
        path = msgspec.json.decode(raw, type=PricePath)
        if path.wait and isinstance(self._venue.clock, SteppedClock):
            raise ControlRequestError(
                "wait: this market's time stands until PUT /sim/clock moves it", HTTPStatus.CONFLICT
            )
        contract = self._contract(path.contract)
        try:
            steps = [_in_ticks(step, contract.tick_size) for step in path.steps]
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
        script = self._venue.play(contract.id, steps)
        if path.wait:
            await self._reach(script.ends_market_at)
        return _json({
            "contract_id": script.contract_id,
            "starts_market_at": script.starts_market_at,
            "ends_market_at": script.ends_market_at,
            "market_now": self._venue.now(),
        })  # fmt: skip

    async def _reach(self, market_at: datetime) -> None:
        """Wait until everything due at a market instant has happened."""
        while (left := market_at - self._venue.now()) > timedelta():  # noqa: ASYNC110  # time passes, no event tells
            await asyncio.sleep(left.total_seconds() / self._venue.clock.speed)

    def _contract(self, name: str) -> Contract:
        now, market = self._venue.now(), self._venue.market
        by_root = {contract.root: contract for contract in market.contracts(now)}
        found = by_root.get(name) or market.contract(name, now)
        if found is None:
            raise ControlRequestError(
                f"{name} is no contract of this market: {', '.join(by_root)}", HTTPStatus.NOT_FOUND
            )
        return found

    def _behaviour(self, _: Request, __: bytes) -> Response:
        return _json(asdict(self._venue.state.behaviour))

    def _take_on(self, request: Request, raw: bytes) -> Response:
        body = msgspec.json.decode(raw, type=dict[str, object])
        unknown = set(body) - set(Behaviour.__dataclass_fields__)
        if unknown:
            raise ControlRequestError(f"the venue has no habit {', '.join(sorted(unknown))}")
        self._venue.take_on(msgspec.convert(body, Behaviour))
        return self._behaviour(request, raw)

    def _step(self, _: Request, raw: bytes) -> Response:
        wanted = msgspec.json.decode(raw, type=ClockStep)
        try:
            return _json({"market_now": self._venue.step(timedelta(seconds=wanted.step))})
        except ValueError as error:
            raise ControlRequestError(str(error), HTTPStatus.CONFLICT) from None

    def _add_user(self, _: Request, raw: bytes) -> Response:
        wanted = msgspec.json.decode(raw, type=NewUser)
        try:
            self._logins.add_user(wanted.user, wanted.key)
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
        return _json({"users": self._logins.users()})

    def _open_account(self, _: Request, raw: bytes) -> Response:
        wanted = msgspec.json.decode(raw, type=NewAccount)
        user = wanted.user.lower()
        if user and user not in self._logins.users():
            raise ControlRequestError(f"there is no user {wanted.user!r}: PUT /sim/users first", HTTPStatus.NOT_FOUND)
        try:
            account = self._venue.add_account(
                "" if user == self._logins.owner else user, wanted.stage, wanted.size, balance=wanted.balance
            )
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
        return _json(_shown(account))

    def _set_account(self, request: Request, raw: bytes) -> Response:
        body = msgspec.json.decode(raw, type=dict[str, object])
        unknown = set(body) - set(AccountSettings.__dataclass_fields__)
        if unknown:
            raise ControlRequestError(f"an account has no {', '.join(sorted(unknown))}")
        settings, id_ = msgspec.convert(body, AccountSettings), request.path_params["id"]
        if not id_.isdecimal() or not self._venue.set_account(int(id_), settings):
            raise ControlRequestError(f"there is no account {id_}", HTTPStatus.NOT_FOUND)
        return _json(_shown(self._venue.state.accounts[int(id_)]))


_WHERE = 'leave "on" out for hubs, events and fills; else it is "*" or one of'


def _guarded(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that lets in programs of this computer, but no web site that a browser of it shows."""

    async def handle(request: Request) -> Response:
        origin = request.headers.get("origin")
        if request.url.hostname not in _HERE or origin not in {None, str(request.base_url).rstrip("/")}:
            return _json({"detail": "this port is for programs on this computer"}, HTTPStatus.FORBIDDEN)
        try:
            answered = answer(request, await request.body())
            return answered if isinstance(answered, Response) else await answered
        except ControlRequestError as error:
            return _json({"detail": str(error)}, error.status)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _json({"detail": str(error)}, HTTPStatus.BAD_REQUEST)

    return handle


def _in_ticks(step: PriceStep, tick_size: Decimal) -> Step:
    open_, high, low = (None if at is None else to_ticks(at, tick_size) for at in (step.open, step.high, step.low))
    price = to_ticks(step.price, tick_size)
    return Step(price=price, seconds=step.seconds, open=open_, high=high, low=low, volume=step.volume)


def _shown(account: AccountRecord) -> dict[str, Any]:
    return asdict(account) | {"may_trade": account.may_trade}


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(wire.encoded(value), status_code=status, media_type="application/json")
