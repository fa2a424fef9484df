"""Sends a message by Apprise; no log and no error shows the URL, which has the service's secrets."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.errors import NotificationError
from shared.log import mask_secrets

if TYPE_CHECKING:
    import apprise

_SECRET_PART = re.compile(r"[^/:@?&=]{4,}")
_LONGEST_ERROR = 300


def is_known(url: str) -> bool:
    """Whether the URL names a service, and has what the service needs."""
    return _open(url) is not None


def send(url: str, title: str, body: str) -> None:
    """Send one message; raise NotificationError with what the service said."""
    service = _open(url)
    if service is None:
        raise NotificationError("its URL names no service that Apprise knows, or lacks a part: add the channel anew")
    import apprise  # noqa: PLC0415  # as below

    capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
    with capture as captured, _silence("urllib3"):
        try:
            is_sent = service.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001  # services raise errors of their own
            raise NotificationError(f"{service.service_name}: {type(error).__name__}") from None
        said = " ".join(captured.getvalue().split())
    if not is_sent:
        raise NotificationError(f"{service.service_name} did not take it: {_mask(said, url) or 'it gave no reason'}")


def _open(url: str) -> "apprise.NotifyBase | None":
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.WARNING)  # below, it logs URLs
    with warnings.catch_warnings():
        # On Python 3.11 and 3.12 a service of Apprise imports what 3.13 no longer has.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415  # it takes 0.9 s with its services, for which only who sends should wait

        found: apprise.NotifyBase | None = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    return found


@contextmanager
def _silence(name: str) -> Iterator[None]:
    """Keep a library from logging the paths of its requests, whatever the level of our log."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _mask(text: str, url: str) -> str:
    """Return the text without any part of the URL."""
    _, _, rest = url.partition("://")
    for part in sorted(_SECRET_PART.findall(rest), key=len, reverse=True):
        text = text.replace(part, "***")
    return mask_secrets(text)[:_LONGEST_ERROR]
