"""TICKWORK_PUBLIC_URL: an address that TradingView can post to, or an error that names it."""

import re

import pytest

from shared.config import Settings, load_settings
from shared.errors import SettingsError

LOCAL = "http://127.0.0.1:8700"


def settings(public_url: str, receiver_url: str = LOCAL) -> Settings:
    return load_settings({"TICKWORK_PUBLIC_URL": public_url, "TICKWORK_RECEIVER_URL": receiver_url})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://alerts.example.com", "https://alerts.example.com"),
        ("https://alerts.example.com:443/", "https://alerts.example.com:443"),
        ("http://alerts.example.com:80", "http://alerts.example.com:80"),
        (" https://me.example.com/tickwork/ ", "https://me.example.com/tickwork"),
        ("http://52.89.214.238", "http://52.89.214.238"),
    ],
)
def test_an_address_on_a_port_of_tradingview_is_taken(given: str, expected: str) -> None:
    assert expected == settings(given).public_url
    assert expected == settings(given).sender_url


def test_without_a_public_url_senders_post_to_the_receivers_own_address() -> None:
    assert ("", LOCAL) == (settings("").public_url, settings("").sender_url)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("alerts.example.com", "expected an address such as https://alerts.example.com"),
        ("ftp://alerts.example.com", "expected an address such as"),
        ("https://", "expected an address such as"),
        ("https://alerts.example.com/?a=1", "nothing behind it"),
        ("https://alerts.example.com/#a", "nothing behind it"),
        ("https://alerts.example.com:99999", "expected an address such as"),
        ("https://ex ample.com", "expected an address such as"),
        ("https://alerts..example.com", "expected an address such as"),
        ("https://.example.com", "expected an address such as"),
        (f"https://{'a' * 64}.example.com", "expected an address such as"),
        ("https://alerts.example.com:8443", "https on port 443, or http on port 80"),
        ("https://alerts.example.com:80", "https on port 443, or http on port 80"),
        ("http://alerts.example.com:443", "https on port 443, or http on port 80"),
        ("http://alerts.example.com:8700", "https on port 443, or http on port 80"),
        ("http://127.0.0.1", "that the internet reaches"),
        ("http://localhost", "that the internet reaches"),
        ("https://mycomputer.local", "that the internet reaches"),
        ("https://192.168.1.7", "that the internet reaches"),
        ("https://[2606:4700::1]", "IPv4 address that the internet reaches"),
    ],
)
def test_an_address_that_tradingview_cannot_post_to_is_refused(given: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=r"invalid TICKWORK_PUBLIC_URL ") as refused:
        settings(given)

    assert repr(given.partition("?")[0]) in str(refused.value)
    assert expected in str(refused.value)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        settings("https://me:secret@alerts.example.com")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("given", ["127.0.0.1:8700", "http://receiver..local:8700"])
def test_the_receivers_own_address_must_be_one(given: str) -> None:
    with pytest.raises(SettingsError, match=rf"invalid TICKWORK_RECEIVER_URL '{re.escape(given)}'"):
        settings("", receiver_url=given)
