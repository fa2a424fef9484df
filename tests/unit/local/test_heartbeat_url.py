"""TICKWORK_HEARTBEAT_URL: a secret URL, which no message shows."""

import pytest

from shared.config import load_settings
from shared.errors import SettingsError


@pytest.mark.parametrize("url", ["", "https://hc-ping.com/6f1c", "https://me.example:8443/api/push/x?status=up"])
def test_a_url_of_a_service_is_taken_as_it_is(url: str) -> None:
    assert url == load_settings({"TICKWORK_HEARTBEAT_URL": url}).heartbeat_url


@pytest.mark.parametrize(
    "url",
    ["hc-ping.com/secret", "ftp://hc-ping.com/secret", "https:///secret", "https://a b/secret", "https://[x/secret"],
)
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match="invalid TICKWORK_HEARTBEAT_URL: expected the whole URL") as refused:
        load_settings({"TICKWORK_HEARTBEAT_URL": url})
    assert "secret" not in str(refused.value)


def test_http_is_for_this_computer_only() -> None:
    assert load_settings({"TICKWORK_HEARTBEAT_URL": "http://127.0.0.1:3001/push"}).heartbeat_url
    with pytest.raises(SettingsError, match="expected https, as the URL is a secret"):
        load_settings({"TICKWORK_HEARTBEAT_URL": "http://uptime.lan/push"})
