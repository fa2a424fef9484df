"""The address of a sender: the socket's, or the one that the proxies before us have seen."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network

from starlette.requests import Request


class AddressReader:
    """Reads addresses. `proxy_count` is how many proxies of ours are in front of the receiver.

    Each appends the address it sees to X-Forwarded-For, so the sender's is that many places from the right; what stands
    further left is the sender's own word.
    """

    def __init__(self, proxy_count: int) -> None:
        self._proxy_count = proxy_count

    def address_of(self, request: Request) -> str:
        """Return the address of the sender, "" if it is not known."""
        peer = request.client.host if request.client else ""
        if not self._proxy_count:
            return peer
        headers = request.headers.getlist("x-forwarded-for")
        forwarded = [part.strip() for header in headers for part in header.split(",")]
        return forwarded[-self._proxy_count] if len(forwarded) >= self._proxy_count else peer


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what a limit per address counts: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:  # noqa: PLR2004  # the version of IP
        return address
    mapped = known.ipv4_mapped
    return str(mapped) if mapped is not None else str(ip_network(f"{known}/64", strict=False))


def is_listed(address: str, listed: Sequence[str]) -> bool:
    """Whether an address is one of the list, or in a network of it."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in ip_network(one) for one in listed)
