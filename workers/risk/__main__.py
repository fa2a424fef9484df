"""Entry point of the risk monitor: `python -m workers.risk`; a second one stands by."""

from shared.config import load_settings
from shared.hot.positions import open_positions
from shared.hot.quotes import open_quotes
from shared.log_setup import set_up_logging
from workers.risk.monitor import RiskMonitor
from workers.stop_signals import stop_on_signals


def main() -> None:
    """Run until SIGTERM or SIGINT; the run of the watch that is under way then is finished first."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    stopping = stop_on_signals()
    cache = settings.require_cache()
    with open_quotes(cache) as quotes, open_positions(cache) as positions:
        RiskMonitor(settings, quotes, positions, stopping).run()


if __name__ == "__main__":
    main()
