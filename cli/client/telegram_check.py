"""What `doctor` says of the bot that takes commands from Telegram."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import describe_stale, load_next_settings
from shared.clock import machine_now
from shared.config import Settings
from shared.db.telegram import bots, users
from shared.domain.counting import count_of
from shared.overview.optional_problems import find_failing_bot


def check_telegram(connection: Connection, settings: Settings) -> str:
    """Return whom the bot obeys; raise CheckWarningError if it takes no commands, or obeys no user."""
    token = settings.telegram_token
    if load_next_settings(settings).telegram_token != token:
        raise CheckWarningError(describe_stale("the bot's token was changed"))
    if not token:
        return "off, as no bot is set: `tickwork telegram setup` sets one"
    if (problem := find_failing_bot(connection, settings)) is not None:
        raise CheckWarningError(problem)
    row, now = bots.find(connection, int(token.partition(":")[0])), machine_now()
    if row is None or row.polled_at is None:
        raise CheckWarningError(
            "the bot has not asked Telegram for commands yet: its log, `tickwork logs telegram`, says why"
        )
    paired = [one for one in users.list_all(connection) if one.telegram_id is not None]
    if not paired:
        raise CheckWarningError("no user is paired with the bot, so it obeys none: `tickwork telegram add-user NAME`")
    locked = [one.name for one in paired if one.is_locked(now)]
    if locked:
        raise CheckWarningError(
            f"locked after wrong codes: {', '.join(locked)}; `tickwork telegram users` says until when"
        )
    return f"takes commands of {count_of(len(paired), 'user')}"
