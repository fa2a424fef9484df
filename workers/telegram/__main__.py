"""Entry point of the Telegram bot: `python -m workers.telegram`; one program for a bot."""

from shared.config import load_settings
from shared.db.engine import make_engine
from shared.errors import SettingsError
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from shared.log_setup import set_up_logging
from workers.stop_signals import stop_on_signals
from workers.telegram.bot import Bot

_STATEMENT_TIMEOUT_S = 10.0


def main() -> None:
    """Run until SIGTERM or SIGINT; raise SettingsError without a bot's token."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    if not settings.telegram_token:
        raise SettingsError("TICKWORK_TELEGRAM_TOKEN is not set: `tickwork telegram setup` asks for it")
    stopping = stop_on_signals()
    engine = make_engine(settings.require_database(), program="telegram", statement_timeout_s=_STATEMENT_TIMEOUT_S)
    ledger = Ledger(engine, open_publisher(settings.require_broker()))
    try:
        Bot(settings, ledger, stopping).run()
    finally:
        ledger.close()


if __name__ == "__main__":
    main()
