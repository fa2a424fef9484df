"""Sends a message by Apprise; no log and no error shows the URL, which has the service's secrets."""

import logging
import re
import warnings
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote

from shared.errors import NotificationError
from shared.log import mask_secrets

if TYPE_CHECKING:
    import apprise

_SECRET_PART = re.compile(r"[^/:@?&=]{4,}")
_LONGEST_ERROR = 300
_ANSWERS_WITHIN_S = 20.0  # Apprise limits each read, so a service that drips could hold it for ever
# Below these, libraries log URLs, the paths of requests, and headers. From the first message on, and not while one is
# sent: a service that never ends its answer has a thread of its own, and would keep all else from being logged.
_LEVELS = {
    "apprise": logging.WARNING,
    "urllib3": logging.CRITICAL,
    "requests_oauthlib": logging.CRITICAL,
    "oauthlib": logging.CRITICAL,
}
_NO_MENTION = "@\u200b"  # in a text of others, such as an alert's, `@everyone` must call no one


def is_known(url: str) -> bool:
    """Whether the URL names a service, and has what the service needs."""
    return _open(url) is not None


def send(url: str, title: str, body: str) -> None:
    """Send one message, cut to what the service takes; raise NotificationError with what the service said.

    A service that has not answered after 20 s counts as one that did not take it.
    """
    service = _open(url)
    if service is None:
        raise NotificationError("its URL names no service that Apprise knows, or lacks a part: add the channel anew")
    answers: list[str | None] = []
    sender = Thread(target=lambda: answers.append(_send(service, title, body)), daemon=True, name="notifier")
    sender.start()
    sender.join(_ANSWERS_WITHIN_S)
    said = answers[0] if answers else f"no answer within {_ANSWERS_WITHIN_S:.0f} s"
    if said is not None:
        raise NotificationError(f"{service.service_name} did not take it: {_mask(said, url)}")


def _send(service: "apprise.NotifyBase", title: str, body: str) -> str | None:
    """Return why the service did not take the message; None if it did."""
    import apprise  # noqa: PLC0415  # as below

    service.overflow_mode = apprise.OverflowMode.TRUNCATE
    capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
    with capture as captured:
        try:
            is_sent = service.notify(
                title=title, body=body.replace("@", _NO_MENTION), body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001  # services raise errors of their own
            return type(error).__name__
        said = " ".join(captured.getvalue().split())
    return None if is_sent else said or "it gave no reason"


def _open(url: str) -> "apprise.NotifyBase | None":
    logging.getLogger("apprise").propagate = False
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    with warnings.catch_warnings():
        # On Python 3.11 and 3.12 a service of Apprise imports what 3.13 no longer has.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415  # it takes 0.9 s with its services, for which only who sends should wait

        found: apprise.NotifyBase | None = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    return found


def _mask(text: str, url: str) -> str:
    """Return the text without any part of the URL, also where a part is spelt as it is meant."""
    _, _, rest = url.partition("://")
    parts = {*_SECRET_PART.findall(rest), *map(unquote, _SECRET_PART.findall(rest))}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return mask_secrets(text)[:_LONGEST_ERROR]
