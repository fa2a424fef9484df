"""The control endpoints of the simulator, under /sim on a separate port: inspect the venue, move it, inject faults.

They need no token: the port is on loopback, and requests from web sites in a browser are refused.
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
from simulator.client_json import read_json
from simulator.endpoints.control_bodies import ClockStep, NewAccount, NewUser, PricePath, PriceStep
from simulator.faults import EVERYWHERE, STREAM_KINDS, Fault, Preset
from simulator.logins import Logins
from simulator.market.clocks import SteppedClock
from simulator.market.script import Step
from simulator.pipeline import Pipeline
from simulator.venue.accounts import KINDS, AccountKind, kind_of
from simulator.venue.behaviour import Behaviour
from simulator.venue.records import AccountRecord, AccountSettings
from simulator.venue.venue import Venue

_LOOPBACK_HOSTS = {"127.0.0.1", "localhost"}
ControlHandler = Callable[[Request, bytes], Response | Awaitable[Response]]


class ControlRequestError(TickworkError):
    """A control request that cannot be done: `str` gives the reason, `status` the HTTP status."""

    def __init__(self, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.status = status


def make_control(venue: Venue, logins: Logins, pipeline: Pipeline, paths: Collection[str]) -> Starlette:
    """Return the application of the control port; `paths` are the venue's paths, where request faults can happen."""
    return Starlette(routes=_Control(venue, logins, pipeline, paths).routes)


class _Control:
    """The handlers of the control port."""

    def __init__(self, venue: Venue, logins: Logins, pipeline: Pipeline, paths: Collection[str]) -> None:
        self._venue = venue
        self._logins = logins
        self._pipeline = pipeline
        self._paths = paths
        self._listing: list[tuple[str, str, str, ControlHandler]] = [
            ("GET", "/sim", "this list", self._list_endpoints),
            ("GET", "/sim/status", "market time, whether the market trades, users and accounts", self._show_status),
            (
                "GET",
                "/sim/requests",
                "request counts by path, 429s by user, tags; ?path= for the latest bodies of one path",
                self._show_requests,
            ),
            ("GET", "/sim/faults", "the armed faults, and how often each happened", self._show_faults),
            (
                "PUT",
                "/sim/faults",
                "replace the armed faults by a fault, a list of faults or a preset",
                self._replace_faults,
            ),
            ("POST", "/sim/faults", "arm another fault", self._add_faults),
            ("DELETE", "/sim/faults", "remove every fault", self._remove_faults),
            ("PUT", "/sim/market", "let the price of a contract follow a path; `wait` for its end", self._play_path),
            ("GET", "/sim/behaviour", "how the venue behaves where its documents are silent", self._show_behaviour),
            ("PUT", "/sim/behaviour", "change that behaviour: see docs/reference/simulator.md", self._set_behaviour),
            ("PUT", "/sim/clock", "advance a stepped market by some seconds", self._step_clock),
            ("PUT", "/sim/users", "add a user, or change the key of one", self._add_user),
            ("POST", "/sim/accounts", "open an account", self._open_account),
            (
                "PUT",
                "/sim/accounts/{id}",
                "change the settings of an account, such as its bracket_mode",
                self._set_account,
            ),
        ]
        self.routes = [Route(path, _local_only(answer), methods=[method]) for method, path, _, answer in self._listing]

    def _list_endpoints(self, _: Request, __: bytes) -> Response:
        endpoints = [{"method": method, "path": path, "does": does} for method, path, does, _ in self._listing]
        return _json_response({"what": "the control port of the Tickwork simulator", "endpoints": endpoints})

    def _show_status(self, _: Request, __: bytes) -> Response:
        now, market = self._venue.now(), self._venue.market
        ends = market.ends_market_at
        return _json_response(
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
                "users": self._logins.list_users(),
                "accounts": [_account_view(account) for account in self._venue.state.accounts.values()],
            }
        )

    def _show_requests(self, request: Request, _: bytes) -> Response:
        path = request.query_params.get("path")
        if path is not None:
            return _json_response(self._pipeline.request_log.bodies(path))
        limited: dict[str, dict[str, int]] = {}
        for (user, where), count in self._pipeline.limits.limited_counts.items():
            limited.setdefault(user, {})[where] = count
        counts = dict(self._pipeline.request_log.counts)
        return _json_response({"counts": counts, "limited": limited, "tags": self._venue.state.accepted_tags()})

    def _show_faults(self, _: Request, __: bytes) -> Response:
        return _json_response([msgspec.to_builtins(row.fault) | {"left": row.left, "met": row.met}
                      for row in self._pipeline.faults.armed])  # fmt: skip

    def _replace_faults(self, request: Request, raw: bytes) -> Response:
        faults, seed = self._read_faults(raw)
        self._pipeline.faults.replace(faults, seed)
        return self._show_faults(request, raw)

    def _add_faults(self, request: Request, raw: bytes) -> Response:
        faults, _ = self._read_faults(raw)
        for fault in faults:
            self._pipeline.faults.arm(fault)
        return self._show_faults(request, raw)

    def _remove_faults(self, _: Request, __: bytes) -> Response:
        self._pipeline.faults.disarm()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    def _read_faults(self, raw: bytes) -> tuple[list[Fault], int | None]:
        body = read_json(raw, msgspec.json.Decoder())
        if isinstance(body, dict) and "preset" in body:
            preset = msgspec.convert(body, Preset)
            return preset.faults(), preset.seed
        faults = msgspec.convert(body if isinstance(body, list) else [body], list[Fault])
        for fault in faults:
            if fault.on != EVERYWHERE and (fault.kind in STREAM_KINDS or fault.on not in self._paths):
                raise ControlRequestError(
                    f"invalid path {fault.on!r} of {fault.kind}: {_FAULT_PATHS_HINT} {', '.join(self._paths)}"
                )
        return faults, None

    async def _play_path(self, _: Request, raw: bytes) -> Response:
        path = read_json(raw, msgspec.json.Decoder(PricePath))
        if path.wait and isinstance(self._venue.clock, SteppedClock):
            raise ControlRequestError(
                "cannot wait: the time of this market moves only with PUT /sim/clock", HTTPStatus.CONFLICT
            )
        contract = self._find_contract(path.contract)
        try:
            steps = [_make_step(step, contract.tick_size) for step in path.steps]
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
        script = self._venue.play(contract.id, steps)
        if path.wait:
            await self._wait_until(script.ends_market_at)
        return _json_response({
            "contract_id": script.contract_id,
            "starts_market_at": script.starts_market_at,
            "ends_market_at": script.ends_market_at,
            "market_now": self._venue.now(),
        })  # fmt: skip

    async def _wait_until(self, market_at: datetime) -> None:
        """Wait until the market has reached an instant."""
        while (left := market_at - self._venue.now()) > timedelta():  # noqa: ASYNC110  # market time passes without an event to await
            await asyncio.sleep(left.total_seconds() / self._venue.clock.speed)

    def _find_contract(self, name: str) -> Contract:
        now, market = self._venue.now(), self._venue.market
        by_root = {contract.root: contract for contract in market.contracts(now)}
        found = by_root.get(name) or market.contract(name, now)
        if found is None:
            raise ControlRequestError(
                f"unknown contract {name!r}: expected a contract id or one of {', '.join(by_root)}",
                HTTPStatus.NOT_FOUND,
            )
        return found

    def _show_behaviour(self, _: Request, __: bytes) -> Response:
        return _json_response(asdict(self._venue.state.behaviour))

    def _set_behaviour(self, request: Request, raw: bytes) -> Response:
        body = read_json(raw, msgspec.json.Decoder(dict[str, object]))
        unknown = set(body) - set(Behaviour.__dataclass_fields__)
        if unknown:
            raise ControlRequestError(_unknown_names("behaviour setting", unknown, Behaviour.__dataclass_fields__))
        self._venue.set_behaviour(msgspec.convert(body, Behaviour))
        return self._show_behaviour(request, raw)

    def _step_clock(self, _: Request, raw: bytes) -> Response:
        wanted = read_json(raw, msgspec.json.Decoder(ClockStep))
        try:
            return _json_response({"market_now": self._venue.step(timedelta(seconds=wanted.step))})
        except ValueError as error:
            raise ControlRequestError(str(error), HTTPStatus.CONFLICT) from None

    def _add_user(self, _: Request, raw: bytes) -> Response:
        wanted = read_json(raw, msgspec.json.Decoder(NewUser))
        try:
            self._logins.add_user(wanted.user, wanted.key)
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
        return _json_response({"users": self._logins.list_users()})

    def _open_account(self, _: Request, raw: bytes) -> Response:
        wanted = read_json(raw, msgspec.json.Decoder(NewAccount))
        user = wanted.user.lower()
        if user and user not in self._logins.list_users():
            raise ControlRequestError(f"unknown user {wanted.user!r}: add it with PUT /sim/users", HTTPStatus.NOT_FOUND)
        kind = _find_kind(wanted)
        account = self._venue.add_account("" if user == self._logins.owner else user, kind, balance=wanted.balance)
        return _json_response(_account_view(account))

    def _set_account(self, request: Request, raw: bytes) -> Response:
        body = read_json(raw, msgspec.json.Decoder(dict[str, object]))
        unknown = set(body) - set(AccountSettings.__dataclass_fields__)
        if unknown:
            raise ControlRequestError(_unknown_names("account setting", unknown, AccountSettings.__dataclass_fields__))
        settings, id_ = msgspec.convert(body, AccountSettings), request.path_params["id"]
        if not id_.isdecimal() or not self._venue.set_account(int(id_), settings):
            raise ControlRequestError(f"unknown account {id_!r}", HTTPStatus.NOT_FOUND)
        return _json_response(_account_view(self._venue.state.accounts[int(id_)]))


_FAULT_PATHS_HINT = 'leave "on" out for hubs, events and fills; otherwise expected "*" or one of'


def _local_only(answer: ControlHandler) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that serves programs on this computer, and refuses web sites that a browser on it shows."""

    async def handle(request: Request) -> Response:
        origin = request.headers.get("origin")
        if request.url.hostname not in _LOOPBACK_HOSTS or origin not in {None, str(request.base_url).rstrip("/")}:
            return _json_response({"detail": "this port is for programs on this computer"}, HTTPStatus.FORBIDDEN)
        try:
            response = answer(request, await request.body())
            return response if isinstance(response, Response) else await response
        except ControlRequestError as error:
            return _json_response({"detail": str(error)}, error.status)
        except msgspec.MsgspecError as error:
            return _json_response({"detail": str(error)}, HTTPStatus.BAD_REQUEST)

    return handle


def _unknown_names(what: str, unknown: Collection[str], known: Collection[str]) -> str:
    return f"unknown {what} {', '.join(map(repr, sorted(unknown)))}: expected some of {', '.join(known)}"


def _make_step(step: PriceStep, tick_size: Decimal) -> Step:
    open_, high, low = (None if at is None else to_ticks(at, tick_size) for at in (step.open, step.high, step.low))
    price = to_ticks(step.price, tick_size)
    return Step(price=price, seconds=step.seconds, open=open_, high=high, low=low, volume=step.volume)


def _account_view(account: AccountRecord) -> dict[str, Any]:
    return asdict(account) | {"may_trade": account.may_trade}


def _json_response(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(wire.encode(value), status_code=status, media_type="application/json")


def _find_kind(wanted: NewAccount) -> AccountKind:
    if wanted.stage is not None and wanted.kind is None:
        try:
            return kind_of(wanted.stage, wanted.size)
        except ValueError as error:
            raise ControlRequestError(str(error)) from None
    if wanted.stage is None and wanted.kind is not None and wanted.kind in KINDS:
        return KINDS[wanted.kind]
    raise ControlRequestError(
        f"invalid kind {wanted.kind!r} with stage {wanted.stage!r}: expected a stage, or one of {', '.join(KINDS)}"
    )
