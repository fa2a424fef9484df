"""The secrets with which senders sign their requests, and the schemes of signing."""

import base64
from enum import StrEnum

from shared.domain.counting import count_of
from shared.errors import RefusedError

STANDARD_PREFIX = "whsec_"
_STANDARD_BYTES = range(24, 65)
_OTHER_BYTES = range(16, 257)


class SignatureScheme(StrEnum):
    """How a request is signed, by the name of the specification or of the service whose signature it is."""

    STANDARD_WEBHOOKS = "standard-webhooks"
    GITHUB = "github"
    STRIPE = "stripe"


def read_signing_secret(scheme: SignatureScheme, written: bytes) -> bytes:
    """Return the key of a secret as its scheme writes it; raise RefusedError, which does not quote the secret."""
    if scheme is not SignatureScheme.STANDARD_WEBHOOKS:
        if len(written) not in _OTHER_BYTES:
            expected = f"{_OTHER_BYTES[0]} to {_OTHER_BYTES[-1]} bytes"
            raise RefusedError(f"invalid secret of {count_of(len(written), 'byte')}: expected {expected}")
        return written
    expected = f"{STANDARD_PREFIX} and the base64 of {_STANDARD_BYTES[0]} to {_STANDARD_BYTES[-1]} bytes"
    if not written.startswith(STANDARD_PREFIX.encode()):
        raise RefusedError(f"invalid secret without {STANDARD_PREFIX}: expected {expected}")
    try:
        key = base64.b64decode(written.removeprefix(STANDARD_PREFIX.encode()), validate=True)
    except ValueError:
        raise RefusedError(f"invalid secret, which is not base64: expected {expected}") from None
    if len(key) not in _STANDARD_BYTES:
        raise RefusedError(f"invalid secret of {count_of(len(key), 'byte')}: expected {expected}")
    return key


def write_standard_secret(key: bytes) -> str:
    """Return a key as the secret of Standard Webhooks."""
    return STANDARD_PREFIX + base64.b64encode(key).decode()
