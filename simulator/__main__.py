"""The simulator's program: `python -m simulator --port P --state DIR --machine-origin ISO --market-origin ISO ...`."""

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from shared.clock import MarketClock
from shared.config import load_settings
from shared.errors import SettingsError
from shared.log import set_up_logging
from simulator.app import make_app
from simulator.logins import Logins
from simulator.market.market import Market
from simulator.market.replay import ReplayMarket
from simulator.market.seeded import SeededMarket
from simulator.market.tape import PRINTS_A_MINUTE
from simulator.server import Server
from simulator.venue.journal import Journal
from simulator.venue.venue import Venue

_log = logging.getLogger("simulator")


def main() -> int:
    """Serve the venue's wire on loopback until told to stop; return the exit code."""
    options = _options()
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        market: Market = ReplayMarket(options.replay) if options.replay else SeededMarket(options.seed)
        clock = MarketClock(options.machine_origin, options.market_origin, options.speed)
        venue = Venue(market, clock, Journal(options.state / "journal.jsonl", market.name))
        logins = Logins(settings.venue.user, settings.venue.key, options.state / "token.key")
    except SettingsError as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201 - logging may not be set up yet
        return 2
    app, gate, hubs = make_app(
        venue, logins, limits=options.limits == "on", prints_per_minute=options.prints_per_minute
    )
    server = Server(app, options.port, hubs.say_goodbye)
    gate.cut = server.cut
    _log.info("%s, market time %s, speed %d", market.name, clock.now().isoformat(timespec="seconds"), clock.speed)
    server.run()
    return 0


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
    parser.add_argument("--limits", choices=("on", "off"), default="on", help="the venue's request limits")
    parser.add_argument("--prints-per-minute", type=int, default=PRINTS_A_MINUTE, help="how busy the market hub is")
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
