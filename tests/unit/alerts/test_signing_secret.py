"""A secret is read as its scheme writes it, and an error never quotes it."""

import base64

import pytest

from shared.clock import machine_now
from shared.db.alerts.hook_secrets import HookSecret
from shared.domain.alerts.signing_secret import SignatureScheme, read_signing_secret, write_standard_secret
from shared.errors import RefusedError
from shared.ids import new_id

STANDARD, GITHUB, STRIPE = SignatureScheme


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_standard_webhooks_is_the_base64_of_its_key(size: int) -> None:
    key = bytes(range(size))

    assert key == read_signing_secret(STANDARD, write_standard_secret(key).encode())


def test_another_secret_is_its_own_key() -> None:
    assert b"whsec_of_stripe_is_the_key_itself" == read_signing_secret(STRIPE, b"whsec_of_stripe_is_the_key_itself")
    assert b"\xff" * 16 == read_signing_secret(GITHUB, b"\xff" * 16)


@pytest.mark.parametrize(
    ("scheme", "written", "expected"),
    [
        (STANDARD, b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", " without whsec_"),
        (STANDARD, b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa%w", ", which is not base64"),
        (STANDARD, b"whsec_\xff\xff", ", which is not base64"),
        (STANDARD, b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", ", which is not base64"),
        (STANDARD, b"whsec_" + base64.b64encode(b"MfKQ" * 5), " of 20 bytes"),
        (STANDARD, b"whsec_" + base64.b64encode(b"x" * 65), " of 65 bytes"),
        (GITHUB, b"MfKQ9r8GKYqrTwj", " of 15 bytes: expected 16 to 256 bytes"),
        (STRIPE, b"x" * 257, " of 257 bytes"),
        (STRIPE, b"", " of 0 bytes"),
    ],
)
def test_another_secret_is_refused_without_being_quoted(scheme: SignatureScheme, written: bytes, expected: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_signing_secret(scheme, written)

    assert f"invalid secret{expected}" in str(refused.value)
    assert "MfKQ" not in str(refused.value)


def test_a_key_is_in_no_repr() -> None:
    secret = HookSecret(new_id(), new_id(), GITHUB, b"a-key-of-16-bytes", machine_now(), None)

    assert "a-key" not in repr(secret)
