"""The simulator's own endpoints under /simulator: its state for `tickwork status`, its faults for tests.

They need no token; the program listens on loopback only.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator import wire
from simulator.faults import Fault, Faults
from simulator.venue.records import AccountSettings
from simulator.venue.venue import Venue
from simulator.visits import Visits


class Control:
    """Looks at the venue, and arms what tests need."""

    def __init__(self, venue: Venue, visits: Visits, faults: Faults) -> None:
        self._venue = venue
        self._visits = visits
        self._faults = faults
        self.routes = [
            Route("/simulator/status", self.status),
            Route("/simulator/requests", self.requests),
            Route("/simulator/faults", self.arm, methods=["POST"]),
            Route("/simulator/faults", self.disarm, methods=["DELETE"]),
            Route("/simulator/account", self.set_account, methods=["POST"]),
        ]

    async def status(self, _: Request) -> Response:
        """Say what time it is in the market, and whether it trades."""
        now, market = self._venue.now(), self._venue.market
        ends = market.ends_market_at
        return _json(
            {
                "market": market.name,
                "market_now": now,
                "is_open": any(market.is_open(contract, now) for contract in market.contracts(now)),
                "is_silent": ends is not None and now >= ends,
                "ends_market_at": ends,
                "order_count": len(self._venue.book.orders),
                "fill_count": len(self._venue.book.fills),
            }
        )

    async def requests(self, request: Request) -> Response:
        """Count requests since the start, by path, and list the accepted tags; with ?path= the latest bodies of one."""
        path = request.query_params.get("path")
        if path is not None:
            return _json(self._visits.bodies(path))
        return _json({"counts": dict(self._visits.counts), "tags": self._venue.book.accepted_tags()})

    async def arm(self, request: Request) -> Response:
        """Arm a fault."""
        try:
            self._faults.arm(msgspec.json.decode(await request.body(), type=Fault))
        except msgspec.MsgspecError as error:
            return _json({"detail": str(error)}, status=400)
        return Response(status_code=204)

    async def disarm(self, _: Request) -> Response:
        """Forget every armed fault."""
        self._faults.disarm()
        return Response(status_code=204)

    async def set_account(self, request: Request) -> Response:
        """Change an account's settings."""
        try:
            body = msgspec.json.decode(await request.body(), type=dict[str, object])
            account_id = msgspec.convert(body.pop("account_id", None), int)
            settings = msgspec.convert(body, AccountSettings)
        except msgspec.MsgspecError as error:
            return _json({"detail": str(error)}, status=400)
        is_known = self._venue.set_account(account_id, settings)
        return Response(status_code=204 if is_known else 404)


def _json(value: object, status: int = 200) -> Response:
    return Response(wire.encoded(value), status_code=status, media_type="application/json")
