"""Entry point of the trace exporter: `python -m workers.tracing`; a second one finds nothing to do."""

from shared.config import load_settings
from shared.log_setup import set_up_logging
from workers.stop_signals import stop_on_signals
from workers.tracing.exporter import run


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    run(settings, stop_on_signals())


if __name__ == "__main__":
    main()
