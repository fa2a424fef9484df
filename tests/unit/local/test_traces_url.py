"""TICKWORK_TRACES_URL: where a collector takes traces, without a password; by https, but for this computer."""

import pytest

from shared.config import load_settings
from shared.errors import SettingsError


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:4318/v1/traces", "http://localhost:4318/v1/traces", "https://otel.example/v1/traces"]
)
def test_the_url_of_a_collector_is_taken_as_it_is(url: str) -> None:
    assert url == load_settings({"TICKWORK_TRACES_URL": url}).traces_url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:4318", "grpc://127.0.0.1:4317/x", "http://127.0.0.1:4318", "https://me:hidden@otel.example/v1/traces",
        "https://otel.example/v1/traces?key=hidden", "https://[x/v1/traces", "https://otel.example/v1 traces",
    ],
)  # fmt: skip
def test_what_is_no_such_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match="expected the URL where your collector takes traces"):
        load_settings({"TICKWORK_TRACES_URL": url})


def test_http_is_for_this_computer_only() -> None:
    with pytest.raises(SettingsError, match="expected https, as spans have what you trade"):
        load_settings({"TICKWORK_TRACES_URL": "http://otel.lan/v1/traces"})
