"""Tells the trader by the channels of the settings what has happened; trading never waits for it."""

import logging

from shared.clock import machine_now
from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.notifications import collection, outbox
from shared.domain.notifications.channel import Channel
from shared.domain.notifications.messages import plan_messages
from shared.errors import NotificationError
from shared.ledger.jobs.notifications import SendNotifications
from shared.notifier import send
from workers.context import Context
from workers.notifications.watched import list_changes
from workers.task import task

_FAILS_AFTER = 2  # messages in a row

log = logging.getLogger(__name__)


@task(SendNotifications)
def send_notifications(_: SendNotifications, ctx: Context) -> dict[str, int]:
    """Make notifications of what is new, and send what waits; a second run finds nothing new, and sends the rest.

    A run that dies after the service took a message, and before that is recorded, sends it once more. Raise
    NotificationError, which `doctor` shows, if a channel took nothing.
    """
    channels = ctx.settings.notify_channels
    with ctx.transaction() as tx:
        found = collection.collect(tx.connection, channels, machine_now(), PROBE_HOOK_ID)
        if channels:
            collection.add(tx.connection, channels, list_changes(tx.connection, ctx), machine_now())
        outbox.give_up_others(tx.connection, [one.name for one in channels])
    failures = [failure for channel in channels if (failure := _send_waiting(ctx, channel)) is not None]
    if failures:
        raise NotificationError("; ".join(failures))
    return {"notifications": found}


def _send_waiting(ctx: Context, channel: Channel) -> str | None:
    """Send what waits for a channel; return why it did not take all, None if it did.

    A message that is refused may be at fault itself, so the next one is tried; after two in a row the channel is.
    """
    with ctx.transaction() as tx:
        is_quiet = channel.is_quiet_at(machine_now())
        pending = outbox.take(tx.connection, channel.name, only_critical=is_quiet)
    venue = "simulator" if ctx.settings.venue.is_simulator else ""
    failure, failed_in_row = None, 0
    unsent = {one.id for one in pending}
    for message in plan_messages(pending, zone=channel.zone, venue=venue):
        try:
            send(channel.url, message.title, message.body)
        except NotificationError as error:
            failure, failed_in_row = str(error), failed_in_row + 1
            log.warning("channel %s: %s", channel.name, failure)
            ids = message.ids if failed_in_row < _FAILS_AFTER else sorted(unsent)
            with ctx.transaction() as tx:
                outbox.record_failed(tx.connection, channel.name, ids, failure)
            if failed_in_row == _FAILS_AFTER:
                break
        else:
            failed_in_row = 0
            with ctx.transaction() as tx:
                outbox.record_sent(tx.connection, channel.name, message.ids)
        unsent.difference_update(message.ids)
    return failure and f"channel {channel.name}: {failure}"
