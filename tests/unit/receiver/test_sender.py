"""The address of a sender is the socket's, or the one that our own proxies have seen; never what it says of itself."""

import pytest
from starlette.requests import Request

from shared.domain.alerts.hook_settings import TRADINGVIEW_SENDERS
from web.receiver.sender import AddressReader, is_listed, network_of


def request_of(*forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 1)})


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, (), "127.0.0.1"),
        (0, ("6.6.6.6",), "127.0.0.1"),
        (1, ("6.6.6.6, 52.89.214.238",), "52.89.214.238"),
        (1, ("6.6.6.6", "52.89.214.238"), "52.89.214.238"),
        (2, ("6.6.6.6, 52.89.214.238, 10.0.0.1",), "52.89.214.238"),
        (2, ("52.89.214.238",), "127.0.0.1"),
        (1, ("::ffff:52.89.214.238",), "52.89.214.238"),
        (1, ("2001:db8::1",), "2001:db8::1"),
        (1, ("no address",), "no address"),
    ],
)
def test_the_address_is_counted_from_the_right(proxies: int, forwarded: tuple[str, ...], address: str) -> None:
    assert address == AddressReader(proxies).address_of(request_of(*forwarded))


@pytest.mark.parametrize(
    ("address", "listed", "expected"),
    [
        ("52.89.214.238", TRADINGVIEW_SENDERS, True),
        ("52.89.214.239", TRADINGVIEW_SENDERS, False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("::1", ("10.0.0.0/8", "::1"), True),
        ("10.1.2.3", ("::ffff:10.1.2.3",), True),
        ("10.1.2.3", ("::ffff:10.0.0.0/104",), True),
        ("11.1.2.3", ("::ffff:10.0.0.0/104",), False),
        ("no address", ("10.0.0.0/8",), False),
        ("", ("10.0.0.0/8",), False),
    ],
)
def test_an_address_is_listed_alone_or_by_its_network(address: str, listed: tuple[str, ...], *, expected: bool) -> None:
    assert expected is is_listed(address, listed)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("52.89.214.238", "52.89.214.238"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::", "2001:db8:0:1::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_a_limit_per_address_counts_an_ipv4_address_or_an_ipv6_line(address: str, network: str) -> None:
    assert network == network_of(address)
