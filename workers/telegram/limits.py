"""Limits for senders who flood the bot: how much of them is answered, and how much is kept in the audit."""

from collections import deque
from datetime import datetime, timedelta

_MOST_MESSAGES, _WITHIN = 20, timedelta(minutes=1)
_AUDIT_EVERY = timedelta(hours=1)
_MOST_AUDITED = 20  # of all senders, within the same time


class SenderLimits:
    """What senders have done lately, in the memory of this program: after a restart it begins anew."""

    def __init__(self) -> None:
        self._messages: dict[str, deque[datetime]] = {}
        self._audited: dict[int | None, datetime] = {}

    def may_command(self, kind: str, now: datetime) -> bool:
        """Whether at most 20 messages of this kind, such as the fresh ones of a user, came in the last minute."""
        sent = self._messages.setdefault(kind, deque(maxlen=_MOST_MESSAGES))
        if len(sent) == _MOST_MESSAGES and sent[0] > now - _WITHIN:
            return False
        sent.append(now)
        return True

    def may_audit(self, telegram_id: int | None, now: datetime) -> bool:
        """Whether an ignored sender is to be in the audit: once an hour, and at most 20 senders in an hour."""
        self._audited = {one: at for one, at in self._audited.items() if at > now - _AUDIT_EVERY}
        if telegram_id in self._audited or len(self._audited) >= _MOST_AUDITED:
            return False
        self._audited[telegram_id] = now
        return True
