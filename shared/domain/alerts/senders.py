"""The networks of senders; an IPv4 address is the same in the IPv6 form of it."""

from ipaddress import IPv4Network, IPv6Network, ip_network

_MAPPED_BITS = 96  # before an IPv4 address in its IPv6 form, as in ::ffff:10.0.0.1


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return a network, or the one that holds a single address; raise ValueError for any other text."""
    network = ip_network(text)
    if isinstance(network, IPv4Network) or network.prefixlen < _MAPPED_BITS:
        return network
    mapped = network.network_address.ipv4_mapped
    return network if mapped is None else IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
