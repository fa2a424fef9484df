"""The command line of the simulator.

`python -m simulator --port P --state DIR --machine-origin ISO --market-origin ISO (--seed N | --replay FILE) ...`
"""

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from starlette.routing import Route

from shared.clock import MarketClock
from shared.config import load_settings
from shared.errors import SettingsError
from shared.log_setup import set_up_logging
from simulator import openapi
from simulator.app import make_app
from simulator.endpoints.control import make_control
from simulator.faults import Faults
from simulator.limits import PROFILES, Limits
from simulator.logins import Logins
from simulator.market.clocks import Clock, SteppedClock
from simulator.market.market import Market
from simulator.market.replay import ReplayMarket
from simulator.market.seeded import SeededMarket
from simulator.market.tape import PRINTS_A_MINUTE
from simulator.pipeline import Pipeline
from simulator.server import ControlServer, Server
from simulator.turns import SWITCH_INTERVAL_S
from simulator.venue.accounts import KINDS, is_of_kind
from simulator.venue.journal import Journal
from simulator.venue.venue import Venue

_log = logging.getLogger("simulator")


def main() -> int:
    """Serve the venue's API on loopback until SIGTERM or SIGINT; return the exit code."""
    options = _parse_options()
    try:
        settings = load_settings()
        set_up_logging(settings.log_level, settings.log_format)
        market = _make_market(options)
        venue = Venue(market, _make_clock(options), Journal(options.state / "journal.jsonl", market.name))
        logins = Logins(settings.venue.user, settings.venue.key, options.state / "token.key")
        _open_accounts(venue, options.accounts)
        _serve(venue, logins, options)
    except SettingsError as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201 - logging may not be set up yet
        return 2
    return 0


def _serve(venue: Venue, logins: Logins, options: argparse.Namespace) -> None:
    pipeline = Pipeline(venue, logins, Limits(options.limits), Faults(options.fault_seed))
    app, hubs = make_app(venue, logins, pipeline, prints_per_minute=options.prints_per_minute)
    control = None
    if options.control_port is not None:
        paths = [route.path for route in app.routes if isinstance(route, Route) and route.path != openapi.PATH]
        control = ControlServer(make_control(venue, logins, pipeline, paths), options.control_port)
    server = Server(app, options.port, hubs.close_all, control)
    pipeline.cut = server.cut
    now = venue.clock.now().isoformat(timespec="seconds")
    _log.info("%s, market time %s, speed %d", venue.market.name, now, venue.clock.speed)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    server.listen_and_run()


def _make_market(options: argparse.Namespace) -> Market:
    if options.replay:
        return ReplayMarket(options.replay, is_always_open=options.always_open)
    return SeededMarket(options.seed, is_always_open=options.always_open)


def _make_clock(options: argparse.Namespace) -> Clock:
    clock = MarketClock(options.machine_origin, options.market_origin, options.speed)
    return SteppedClock(clock.now()) if options.stepped else clock


def _open_accounts(venue: Venue, kinds: list[str]) -> None:
    """Open an account of each kind of which the user of the settings has none yet."""
    for kind in map(KINDS.__getitem__, kinds):
        own = [account for account in venue.state.accounts.values() if not account.user]
        if not any(is_of_kind(account, kind) for account in own):
            venue.add_account("", kind)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator", description="Simulate the venue on this computer.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder of the journal and the token key")
    parser.add_argument("--machine-origin", type=_parse_instant, required=True, help="an instant of machine time")
    parser.add_argument("--market-origin", type=_parse_instant, required=True, help="market time at that instant")
    parser.add_argument("--speed", type=_parse_speed, default=1, help="market seconds per second")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--replay", type=Path, help="CSV of one-minute bars, may be gzipped")
    source.add_argument("--seed", type=int, help="seed of the random market")
    parser.add_argument("--stepped", action="store_true", help="market time moves only with PUT /sim/clock")
    parser.add_argument("--always-open", action="store_true", help="trade around the clock")
    parser.add_argument(
        "--accounts",
        type=_parse_kinds,
        default=[],
        help=f"open one account of each of these kinds: {','.join(KINDS)}",
    )
    parser.add_argument("--limits", choices=tuple(PROFILES), default="on", help="the venue's request limits")
    parser.add_argument("--fault-seed", type=int, default=0, help="seed of the fault draws")
    parser.add_argument("--control-port", type=int, help="port of the endpoints under /sim (default: none)")
    parser.add_argument(
        "--prints-per-minute", type=int, default=PRINTS_A_MINUTE, help="most trades a contract has in a minute"
    )
    return parser.parse_args()


def _parse_instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _parse_kinds(text: str) -> list[str]:
    kinds = [part.strip().upper() for part in text.split(",") if part.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"invalid account kind {kind!r}: expected some of {','.join(KINDS)}")
    return kinds


def _parse_speed(text: str) -> int:
    speed = int(text)
    if speed < 1:
        raise argparse.ArgumentTypeError(f"invalid speed {text!r}: expected a whole number, at least 1")
    return speed


if __name__ == "__main__":
    sys.exit(main())
