"""Client addresses: which of them count as one client, and which belong to this machine."""

import ipaddress
from functools import lru_cache
from typing import Final

CACHE_SIZE: Final = 4_096


@lru_cache(maxsize=CACHE_SIZE)  # parsing takes 10 µs, and each request has an address
def client_of(address: str) -> str:
    """Return the name of the client at an address: the address for IPv4, its /64 network for IPv6.

    A single IPv6 host usually has a whole /64 network at its disposal.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
