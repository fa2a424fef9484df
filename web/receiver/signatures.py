"""Verifies signed requests on their raw bytes: Standard Webhooks, and the signatures of GitHub and of Stripe.

Expected signatures are written out and compared as text, so nothing of a request is decoded before it is verified.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.alerts.signing_secret import SignatureScheme

WINDOW_S = 300  # between the clocks of the sender and of this computer, in both directions
_MOST_SIGNATURES = 16  # in one request, so that a request costs little whatever its headers hold
_ID = re.compile(rb"[\x21-\x2d\x2f-\x7e]{1,128}")  # without a dot, which separates the id from the time
_SECONDS = re.compile(rb"[0-9]{1,12}")

RawHeaders = Sequence[tuple[bytes, bytes]]  # as ASGI has them: names in lower case


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed facts: the id of the delivery, the same in every resend, and the Unix seconds of signing."""

    delivery_id: str
    signed_at: int | None

    def age_s(self, now: datetime) -> int:
        """Return the seconds since it was signed, negative for a clock ahead of ours; 0 without a time."""
        return 0 if self.signed_at is None else int(now.timestamp()) - self.signed_at


def verify(keys: Mapping[SignatureScheme, Sequence[bytes]], headers: RawHeaders, body: bytes) -> Signed | None:
    """Return what the signature of a request proves, None if no key has made it; its age is not checked."""
    signed = (_VERIFIERS[scheme](keys_of_scheme, headers, body) for scheme, keys_of_scheme in keys.items())
    return next((one for one in signed if one is not None), None)


def _verify_standard(keys: Sequence[bytes], headers: RawHeaders, body: bytes) -> Signed | None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    id_, at = _only(headers, b"webhook-id"), _only(headers, b"webhook-timestamp")
    if not (_ID.fullmatch(id_) and _SECONDS.fullmatch(at)):
        return None
    given = _only(headers, b"webhook-signature").split(b" ")
    content = b".".join((id_, at, body))
    expected = [b"v1," + base64.b64encode(_digest(key, content)) for key in keys]
    return Signed(id_.decode(), int(at)) if _has_match(expected, given) else None


def _verify_github(keys: Sequence[bytes], headers: RawHeaders, body: bytes) -> Signed | None:
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    id_, given = _only(headers, b"x-github-delivery"), _only(headers, b"x-hub-signature-256")
    if not _ID.fullmatch(id_):
        return None
    expected = [b"sha256=" + _digest(key, body).hex().encode() for key in keys]
    return Signed(id_.decode(), None) if _has_match(expected, [given]) else None


def _verify_stripe(keys: Sequence[bytes], headers: RawHeaders, body: bytes) -> Signed | None:
    # https://docs.stripe.com/webhooks#verify-manually
    given = _only(headers, b"stripe-signature").split(b",")
    times = [one.removeprefix(b"t=") for one in given if one.startswith(b"t=")]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
        return None
    content = b".".join((times[0], body))
    expected = [b"v1=" + _digest(key, content).hex().encode() for key in keys]
    # It has no id, so the time and the body stand for one.
    delivery_id = f"{int(times[0])}:{hashlib.sha256(body).hexdigest()}"
    return Signed(delivery_id, int(times[0])) if _has_match(expected, given) else None


_VERIFIERS: Mapping[SignatureScheme, Callable[[Sequence[bytes], RawHeaders, bytes], Signed | None]] = {
    SignatureScheme.STANDARD_WEBHOOKS: _verify_standard,
    SignatureScheme.GITHUB: _verify_github,
    SignatureScheme.STRIPE: _verify_stripe,
}


def _only(headers: RawHeaders, name: bytes) -> bytes:
    """Return the value of a header; nothing if it is missing or repeated."""
    values = [value for one, value in headers if one == name]
    return values[0] if len(values) == 1 else b""


def _digest(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _has_match(expected: Sequence[bytes], given: Sequence[bytes]) -> bool:
    """Whether one of the signatures is expected. Compare every pair in constant time."""
    if len(given) > _MOST_SIGNATURES:
        return False
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    return any(matches)
