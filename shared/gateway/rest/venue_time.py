"""Compares the clock of this computer with the venue's, by the Date of one answer that needs no login."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

from shared.clock import machine_now, monotonic
from shared.errors import VenueDownError

PING = "/api/Status/ping"
_TIMEOUT_S = 5.0
_HALF_A_SECOND = timedelta(seconds=0.5)  # a Date has whole seconds: the venue's time lies up to one after it


def measure_clock_difference(venue_url: str, timeout_s: float = _TIMEOUT_S) -> timedelta:
    """Return by how much the clock of this computer is ahead of the venue's: below zero if it is behind.

    It is exact to half a second and half the time of the answer. Raise VenueDownError without an answer or its Date.
    """
    import requests  # noqa: PLC0415  # a third of the time that `tickwork status` takes to start

    with requests.Session() as http:
        http.trust_env = False  # as every call to the venue
        asked_at, began = machine_now(), monotonic()
        try:
            answer = http.get(f"{venue_url}{PING}", timeout=timeout_s, allow_redirects=False)
        except requests.RequestException as failure:
            raise VenueDownError(f"{venue_url} does not answer ({type(failure).__name__})") from None
        took = timedelta(seconds=monotonic() - began)
    try:
        venue_now = parsedate_to_datetime(answer.headers.get("Date", ""))
        return asked_at + took / 2 - (venue_now + _HALF_A_SECOND)
    except (ValueError, TypeError):
        raise VenueDownError(f"{venue_url} answers without its time") from None
