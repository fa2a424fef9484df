"""The renewal and the expiry of a login token."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.accounts.login import parse_token

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def jwt(**claims: object) -> str:
    return ".".join(
        urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b"{}", json.dumps(claims).encode(), b"s")
    )


@given(st.text(max_size=40))
def test_a_token_without_an_expiry_lives_a_day_and_is_renewed_at_about_half_its_life(text: str) -> None:
    token = parse_token(text, NOW)

    assert NOW + 11 * HOUR <= token.renew_at <= NOW + 13 * HOUR
    assert NOW + 24 * HOUR - timedelta(minutes=1) == token.ends_at


@given(st.integers(1, 7 * 24 * 3600))
def test_a_token_with_an_expiry_is_renewed_before_it(seconds: int) -> None:
    ends_at = NOW + timedelta(seconds=seconds)
    token = parse_token(jwt(exp=ends_at.timestamp()), NOW)

    assert NOW < token.renew_at < token.ends_at < ends_at


@pytest.mark.parametrize("claims", [{}, {"exp": None}, {"exp": "soon"}, {"exp": 1e40}, {"exp": 0}])
def test_an_impossible_expiry_is_ignored(claims: dict[str, object]) -> None:
    assert NOW + 23 * HOUR < parse_token(jwt(**claims), NOW).ends_at


def test_two_tokens_are_not_renewed_at_the_same_time() -> None:
    assert len({parse_token(f"token {number}", NOW).renew_at for number in range(20)}) > 10


def test_the_repr_of_a_token_hides_its_text() -> None:
    assert "secret" not in repr(parse_token("a-secret-token", NOW))
