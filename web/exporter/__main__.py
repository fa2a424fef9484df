"""Entry point of the exporter: `python -m web.exporter --port 9464`; any number may run, and all say the same."""

import argparse
import signal
import sys
from collections.abc import Sequence

from shared.config import load_settings
from shared.hot.feed_health import open_feed_health
from shared.hot.quotes import open_quotes
from shared.log_setup import set_up_logging
from web.exporter.scrape import StackCollector
from web.exporter.server import bind, make_application


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="web.exporter", description="Answers Prometheus.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="Another name of this host.")
    chosen = parser.parse_args(arguments)
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    cache = settings.require_cache()
    with open_quotes(cache) as quotes, open_feed_health(cache) as feed:
        application = make_application(StackCollector(settings, quotes, feed), chosen.allow_host)
        with bind(chosen.host, chosen.port, application) as server:
            server.serve_forever()


if __name__ == "__main__":
    main()
