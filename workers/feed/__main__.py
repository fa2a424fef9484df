"""Entry point of the feed: `python -m workers.feed`; a second one stands by."""

import asyncio
import logging
import signal
import sys

from shared.config import load_settings
from shared.db.engine import make_engine
from shared.db.market_data import market_clock
from shared.errors import CredentialsRefusedError, SettingsError
from shared.log_setup import set_up_logging
from workers.call_log import CallBuffer
from workers.feed.feed import Feed
from workers.venue_wiring import open_gateway

log = logging.getLogger("workers.feed")


def main() -> int:
    """Run the feed until SIGTERM or SIGINT; return the exit code."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    if not settings.venue.hubs_url:
        raise SettingsError("TICKWORK_VENUE_HUBS_URL is not set: set it to a URL such as https://rtc.topstepx.com")
    engine = make_engine(settings.require_database(), program="feed", pool_size=1)
    with engine.connect() as connection:
        row = market_clock.require(connection)
    calls = CallBuffer(engine)
    with open_gateway(settings, calls) as gateway:
        code = asyncio.run(_run_until_signal(Feed(settings, gateway, row.clock)))
    calls.end()
    engine.dispose()
    return code


async def _run_until_signal(feed: Feed) -> int:
    running = asyncio.ensure_future(feed.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    except CredentialsRefusedError as error:
        log.critical("the feed stops, and entries are halted until you resume: %s", error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
