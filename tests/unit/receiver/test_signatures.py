"""Signatures are verified as their specifications say, and everything else about a request is a refusal."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.alerts.signing_secret import SignatureScheme, read_signing_secret
from web.receiver.signatures import WINDOW_S, RawHeaders, Signed, verify

STANDARD, GITHUB, STRIPE = SignatureScheme
# https://github.com/standard-webhooks/standard-webhooks, the vector of its libraries
STANDARD_KEY = read_signing_secret(STANDARD, b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_ID, STANDARD_AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
STANDARD_HEADERS = {
    "webhook-id": STANDARD_ID,
    "webhook-timestamp": str(STANDARD_AT),
    "webhook-signature": STANDARD_SIGNATURE,
}
# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GITHUB_KEY = read_signing_secret(GITHUB, b"It's a Secret to Everybody")
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
GITHUB_HEADERS = {"x-github-delivery": "72d3162e-cc78-11e3", "x-hub-signature-256": GITHUB_SIGNATURE}
STRIPE_KEY = read_signing_secret(STRIPE, b"whsec_of_stripe_is_the_key_itself")
STRIPE_BODY = b'{"type": "charge.succeeded"}'
STRIPE_AT = 1492774577
STRIPE_SIGNATURE = "v1=" + hmac.digest(STRIPE_KEY, b"%d.%s" % (STRIPE_AT, STRIPE_BODY), "sha256").hex()
STRIPE_HEADERS = {"stripe-signature": f"t={STRIPE_AT},{STRIPE_SIGNATURE},v0=6ffbb59b2300aae63f272406069a9788598b792a"}

OTHER_KEY = b"another key of more than 24 bytes"
RIGHT: dict[SignatureScheme, tuple[bytes, dict[str, str], bytes]] = {
    STANDARD: (STANDARD_KEY, STANDARD_HEADERS, STANDARD_BODY),
    GITHUB: (GITHUB_KEY, GITHUB_HEADERS, GITHUB_BODY),
    STRIPE: (STRIPE_KEY, STRIPE_HEADERS, STRIPE_BODY),
}
SIGNATURE_HEADERS = {STANDARD: "webhook-signature", GITHUB: "x-hub-signature-256", STRIPE: "stripe-signature"}
EVERY_SCHEME = pytest.mark.parametrize("scheme", RIGHT)


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def verify_one(scheme: SignatureScheme, headers: RawHeaders, body: bytes, *keys: bytes) -> Signed | None:
    return verify({scheme: keys}, headers, body)


def test_the_vector_of_standard_webhooks_is_verified() -> None:
    signed = verify_one(STANDARD, raw(STANDARD_HEADERS), STANDARD_BODY, STANDARD_KEY)

    assert Signed(STANDARD_ID, STANDARD_AT) == signed


def test_the_example_of_github_is_verified() -> None:
    assert Signed("72d3162e-cc78-11e3", None) == verify_one(GITHUB, raw(GITHUB_HEADERS), GITHUB_BODY, GITHUB_KEY)


def test_a_signature_of_stripe_is_verified_and_its_time_and_body_are_the_delivery_id() -> None:
    body_hash = hashlib.sha256(STRIPE_BODY).hexdigest()

    signed = verify_one(STRIPE, raw(STRIPE_HEADERS), STRIPE_BODY, STRIPE_KEY)

    assert Signed(f"{STRIPE_AT}:{body_hash}", STRIPE_AT) == signed


@EVERY_SCHEME
def test_any_of_several_secrets_may_sign_so_that_they_can_be_rotated(scheme: SignatureScheme) -> None:
    key, headers, body = RIGHT[scheme]

    assert verify_one(scheme, raw(headers), body, OTHER_KEY, key)
    assert verify_one(scheme, raw(headers), body, key, OTHER_KEY)
    assert verify_one(scheme, raw(headers), body, OTHER_KEY) is None
    assert verify_one(scheme, raw(headers), body) is None


def test_secrets_of_several_schemes_may_sign() -> None:
    keys = {scheme: [key] for scheme, (key, _, _) in RIGHT.items()}

    assert all(verify(keys, raw(headers), body) for _, headers, body in RIGHT.values())
    assert verify({}, raw(STANDARD_HEADERS), STANDARD_BODY) is None


def test_a_secret_signs_in_its_own_scheme_only() -> None:
    for scheme in SignatureScheme:
        for other, (key, headers, body) in RIGHT.items():
            assert (scheme is other) == (verify_one(scheme, raw(headers), body, key) is not None)


@pytest.mark.parametrize(
    "signatures",
    [
        f"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw== {STANDARD_SIGNATURE}",
        f"{STANDARD_SIGNATURE} v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=",
        f"v2,x v1 , v1, v1,% {STANDARD_SIGNATURE}",
    ],
)
def test_one_right_signature_among_others_is_enough(signatures: str) -> None:
    headers = STANDARD_HEADERS | {"webhook-signature": signatures}

    assert verify_one(STANDARD, raw(headers), STANDARD_BODY, STANDARD_KEY)


def test_an_unknown_version_of_a_signature_does_not_count() -> None:
    for version in ("v1a", "v2", "V1", "", "v1,v1"):
        value = STANDARD_SIGNATURE.replace("v1", version, 1)
        headers = STANDARD_HEADERS | {"webhook-signature": value}
        assert verify_one(STANDARD, raw(headers), STANDARD_BODY, STANDARD_KEY) is None
    headers = {"stripe-signature": STRIPE_HEADERS["stripe-signature"].replace("v1=", "v0=")}
    assert verify_one(STRIPE, raw(headers), STRIPE_BODY, STRIPE_KEY) is None


@EVERY_SCHEME
def test_a_signature_or_body_with_one_letter_changed_is_refused(scheme: SignatureScheme) -> None:
    key, headers, body = RIGHT[scheme]
    name = SIGNATURE_HEADERS[scheme]

    for position in range(len(headers[name]) if scheme is not STRIPE else 80):
        letter = headers[name][position]
        mangled = headers[name][:position] + ("A" if letter != "A" else "B") + headers[name][position + 1 :]
        assert verify_one(scheme, raw(headers | {name: mangled}), body, key) is None, mangled
    for value in (headers[name][:-1] if scheme is not STRIPE else STRIPE_SIGNATURE, headers[name].upper(), ""):
        assert verify_one(scheme, raw(headers | {name: value}), body, key) is None, value
    for near in (body + b" ", body[:-1], b"", body.upper()):
        assert verify_one(scheme, raw(headers), near, key) is None
    assert verify_one(scheme, raw(headers), body, key[:-1]) is None


@EVERY_SCHEME
def test_a_missing_or_repeated_header_is_a_refusal(scheme: SignatureScheme) -> None:
    key, headers, body = RIGHT[scheme]

    for name, value in raw(headers):
        others = [one for one in raw(headers) if one[0] != name]
        assert verify_one(scheme, others, body, key) is None
        assert verify_one(scheme, [*raw(headers), (name, value)], body, key) is None
        assert verify_one(scheme, [*others, (name, b"")], body, key) is None


def test_two_headers_joined_into_one_by_a_proxy_are_a_refusal() -> None:
    for scheme, name in ((STANDARD, "webhook-id"), (STANDARD, "webhook-timestamp"), (GITHUB, "x-hub-signature-256")):
        key, headers, body = RIGHT[scheme]
        joined = headers | {name: f"{headers[name]}, {headers[name]}"}
        assert verify_one(scheme, raw(joined), body, key) is None


def test_an_id_with_a_dot_is_a_refusal_because_it_can_move_the_border_to_the_time() -> None:
    content = b"%s.%d.%d.%s" % (STANDARD_ID.encode(), STANDARD_AT, STANDARD_AT, STANDARD_BODY)
    signature = b"v1," + base64.b64encode(hmac.digest(STANDARD_KEY, content, "sha256"))
    headers = STANDARD_HEADERS | {"webhook-signature": signature.decode()}
    moved = headers | {"webhook-id": f"{STANDARD_ID}.{STANDARD_AT}"}

    assert verify_one(STANDARD, raw(headers), b"%d.%s" % (STANDARD_AT, STANDARD_BODY), STANDARD_KEY)
    assert verify_one(STANDARD, raw(moved), STANDARD_BODY, STANDARD_KEY) is None


def sign_standard(id_: str, at: str) -> list[tuple[bytes, bytes]]:
    content = b".".join((id_.encode("latin-1"), at.encode("latin-1"), STANDARD_BODY))
    signature = base64.b64encode(hmac.digest(STANDARD_KEY, content, "sha256")).decode()
    return raw({"webhook-id": id_, "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"})


@pytest.mark.parametrize("at", ["", " ", "-1", "+1", "1.5", "1e9", "0x10", "1_0", "\xb2", "NaN", "9" * 13, "9" * 9_999])
def test_a_time_that_is_no_unix_second_is_a_refusal_even_if_it_is_signed(at: str) -> None:
    assert verify_one(STANDARD, sign_standard(STANDARD_ID, at), STANDARD_BODY, STANDARD_KEY) is None
    signature = hmac.digest(STRIPE_KEY, at.encode("latin-1") + b"." + STRIPE_BODY, "sha256").hex()
    for value in (f"t={at},v1={signature}", f"v1={signature}", f"t={at},t={at},v1={signature}"):
        assert verify_one(STRIPE, raw({"stripe-signature": value}), STRIPE_BODY, STRIPE_KEY) is None


@pytest.mark.parametrize("id_", ["", " ", "a b", "a\tb", "\xe9", "\x00", "x" * 129])
def test_an_id_that_cannot_be_a_key_is_a_refusal_even_if_it_is_signed(id_: str) -> None:
    assert verify_one(STANDARD, sign_standard(id_, str(STANDARD_AT)), STANDARD_BODY, STANDARD_KEY) is None
    assert verify_one(GITHUB, raw(GITHUB_HEADERS | {"x-github-delivery": id_}), GITHUB_BODY, GITHUB_KEY) is None


def test_too_many_signatures_are_a_refusal() -> None:
    many = " ".join(["v1,x"] * 20 + [STANDARD_SIGNATURE])

    headers = raw(STANDARD_HEADERS | {"webhook-signature": many})
    assert verify_one(STANDARD, headers, STANDARD_BODY, STANDARD_KEY) is None


def test_a_body_that_is_no_text_is_verified_as_it_is() -> None:
    body = bytes(range(256))
    signature = f"sha256={hmac.digest(GITHUB_KEY, body, 'sha256').hex()}"

    headers = raw(GITHUB_HEADERS | {"x-hub-signature-256": signature})
    assert verify_one(GITHUB, headers, body, GITHUB_KEY)


NAMES = sorted({name.encode() for _, headers, _ in RIGHT.values() for name in headers})
VALUES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([value for _, headers, _ in RIGHT.values() for _, value in raw(headers)]),
    st.lists(st.sampled_from([b"v1", b"v1a", b",", b" ", b"=", b"t=", b"sha256=", b"1", b"\xff", b"A==="])).map(
        b"".join
    ),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), st.binary(max_size=100))
@example([(name, b"\xff" * 60_000) for name in NAMES], b"\xff")
def test_malformed_headers_are_a_refusal_and_never_an_exception(
    headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    assert verify({scheme: [OTHER_KEY] for scheme in SignatureScheme}, headers, body) is None


@pytest.mark.parametrize(
    ("skew", "is_within"),
    [(0, True), (WINDOW_S, True), (-WINDOW_S, True), (WINDOW_S + 1, False), (-WINDOW_S - 1, False)],
)
def test_the_age_of_a_signature_is_counted_in_whole_seconds(skew: int, *, is_within: bool) -> None:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    signed = Signed("x", int(now.timestamp()) - skew)

    assert skew == signed.age_s(now) == signed.age_s(now + timedelta(milliseconds=999))
    assert is_within == (abs(signed.age_s(now)) <= WINDOW_S)
    assert 0 == Signed("x", None).age_s(now)
