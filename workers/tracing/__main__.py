"""Entry point of the trace exporter: `python -m workers.tracing`; a second one finds nothing to do."""

import signal
import threading

from shared.config import load_settings
from shared.log_setup import set_up_logging
from workers.tracing.exporter import run


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    run(settings, stopping)


if __name__ == "__main__":
    main()
