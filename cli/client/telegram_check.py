"""What `doctor` says of the bot that takes commands from Telegram."""

from datetime import timedelta

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import load_next_settings
from shared.clock import machine_now
from shared.config import Settings
from shared.db.telegram import bots, users
from shared.domain.counting import count_of
from shared.domain.risk.watch_gap import describe_duration

_SILENT_AFTER = timedelta(minutes=2)  # it asks at least each half minute


def check_telegram(connection: Connection, settings: Settings) -> str:
    """Return whom the bot obeys; raise CheckWarningError if it takes no commands, or obeys no user."""
    token = settings.telegram_token
    if load_next_settings(settings).telegram_token != token:
        raise CheckWarningError(
            "the bot's token was changed, and the running stack does not know that: `tickwork down`, then `tickwork up`"
        )
    if not token:
        return "off, as no bot is set: `tickwork telegram setup` sets one"
    row, now = bots.find(connection, int(token.partition(":")[0])), machine_now()
    if row is not None and row.error is not None:
        since = f" since {row.failing_since_at:%H:%M:%S} UTC" if row.failing_since_at else ""
        raise CheckWarningError(f"no commands are taken{since}: {row.error}")
    if row is None or row.polled_at is None or row.polled_at < now - _SILENT_AFTER:
        silent = None if row is None or row.polled_at is None else describe_duration(now - row.polled_at)
        raise CheckWarningError(
            f"the bot has not asked Telegram for commands {f'for {silent}' if silent else 'yet'}: `tickwork status` "
            "shows the program telegram, its log says why"
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
