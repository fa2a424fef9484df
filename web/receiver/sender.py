"""The address of a sender: the socket's, or the one that the proxies before us have seen."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

from shared.domain.alerts.senders import parse_network


class AddressReader:
    """Reads addresses. `proxy_count` is how many proxies of ours are in front of the receiver.

    Each appends the address it sees to X-Forwarded-For, so the sender's is that many places from the right; what stands
    further left is the sender's own word.
    """

    def __init__(self, proxy_count: int) -> None:
        self._proxy_count = proxy_count

    def address_of(self, request: Request) -> str:
        """Return the address of the sender, "" if it is not known; an IPv4 address never in the IPv6 form of it."""
        peer = request.client.host if request.client else ""
        return _unmap(self._forwarded_from(request, peer) if self._proxy_count else peer)

    def _forwarded_from(self, request: Request, peer: str) -> str:
        headers = request.headers.getlist("x-forwarded-for")
        forwarded = [part.strip() for header in headers for part in header.split(",")]
        return forwarded[-self._proxy_count] if len(forwarded) >= self._proxy_count else peer


@lru_cache(maxsize=4096)
def _unmap(address: str) -> str:
    """Return the IPv4 address that an IPv6 one such as ::ffff:10.0.0.1 stands for; any other text as it is."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    mapped = known.ipv4_mapped if isinstance(known, IPv6Address) else None
    return address if mapped is None else str(mapped)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what a limit per address counts: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:  # noqa: PLR2004  # the version of IP
        return address
    return str(ip_network(f"{known}/64", strict=False))


def is_listed(address: str, listed: Sequence[str]) -> bool:
    """Whether an address is one of the list, or in a network of it."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in _network_of_list(one) for one in listed)


_network_of_list = lru_cache(maxsize=4096)(parse_network)
