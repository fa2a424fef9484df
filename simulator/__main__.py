"""The simulator's program: `python -m simulator --port P --state DIR --machine-origin ISO --market-origin ISO ...`."""

import argparse
import logging
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from shared.clock import MarketClock
from shared.config import load_settings
from shared.errors import SettingsError
from shared.log import set_up_logging
from simulator.app import make_app
from simulator.faults import Faults
from simulator.limits import Limits
from simulator.logins import Logins
from simulator.market.clocks import Clock, SteppedClock
from simulator.market.market import Market
from simulator.market.replay import ReplayMarket
from simulator.market.seeded import SeededMarket
from simulator.market.tape import PRINTS_A_MINUTE
from simulator.server import Server
from simulator.venue import accounts
from simulator.venue.journal import Journal
from simulator.venue.venue import Venue

_log = logging.getLogger("simulator")


def main() -> int:
    """Serve the venue's wire on loopback until told to stop; return the exit code."""
    options = _options()
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        market = _market(options)
        clock = _clock(options)
        venue = Venue(market, clock, Journal(options.state / "journal.jsonl", market.name))
        logins = Logins(settings.venue.user, settings.venue.key, options.state / "token.key")
        _open_accounts(venue, options.accounts)
    except (SettingsError, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201 - logging may not be set up yet
        return 2
    app, gate, hubs = make_app(
        venue,
        logins,
        Limits(options.limits),
        Faults(options.fault_seed),
        control_port=options.control_port,
        prints_per_minute=options.prints_per_minute,
    )
    try:
        ports = [options.port] if options.control_port is None else [options.port, options.control_port]
        server = Server(app, ports, hubs.say_goodbye)
    except OSError as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201 - said before the program has begun
        return 2
    gate.cut = server.cut
    _log.info("%s, market time %s, speed %d", market.name, clock.now().isoformat(timespec="seconds"), clock.speed)
    server.run()
    return 0


def _market(options: argparse.Namespace) -> Market:
    if options.replay:
        return ReplayMarket(options.replay, is_always_open=options.always_open)
    return SeededMarket(options.seed, is_always_open=options.always_open)


def _clock(options: argparse.Namespace) -> Clock:
    if options.stepped:
        return SteppedClock(options.market_origin)
    return MarketClock(options.machine_origin, options.market_origin, options.speed)


def _open_accounts(venue: Venue, wanted: str) -> None:
    """Open the owner's accounts that are not there yet, by stage and size."""
    have = Counter((account.stage, account.size) for account in venue.book.accounts.values() if not account.user)
    for name in filter(None, wanted.split(",")):
        stage, size = accounts.programme(name)
        if have[stage, size]:
            have[stage, size] -= 1
        else:
            venue.add_account("", stage, size)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator", description="Pretends to be the venue.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder of the journal and the token key")
    parser.add_argument("--machine-origin", type=_instant, required=True, help="an instant of machine time")
    parser.add_argument("--market-origin", type=_instant, required=True, help="market time at that instant")
    parser.add_argument("--speed", type=_speed, default=1, help="market seconds per second")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--replay", type=Path, help="CSV of one-minute bars, may be gzipped")
    source.add_argument("--seed", type=int, help="number that makes the market")
    parser.add_argument("--control-port", type=int, help="where /sim listens: looks inside, faults, scripts, users")
    parser.add_argument("--stepped", action="store_true", help="market time stands until PUT /sim/clock moves it")
    parser.add_argument("--always-open", action="store_true", help="no weekends, halts and holidays")
    parser.add_argument("--accounts", default="", help="more accounts of the user, such as 50KTC,EXPRESS")
    parser.add_argument(
        "--limits",
        choices=("on", "30", "off"),
        default="on",
        help="the venue's request limits; 30: bars by its old page",
    )
    parser.add_argument("--prints-per-minute", type=int, default=PRINTS_A_MINUTE, help="how busy the market hub is")
    parser.add_argument("--fault-seed", type=int, help="makes what chance decides repeatable")
    return parser.parse_args()


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _speed(text: str) -> int:
    speed = int(text)
    if speed < 1:
        raise argparse.ArgumentTypeError(f"{text} is no speed: give a whole number above 0")
    return speed


if __name__ == "__main__":
    sys.exit(main())
