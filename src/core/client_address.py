"""What an address says of who is there: what counts as one client, and whether it is on this machine."""

import ipaddress
from functools import lru_cache
from typing import Final

REMEMBERED: Final = 4_096


@lru_cache(maxsize=REMEMBERED)  # to read an address takes 10 µs, and each request has one
def client_of(address: str) -> str:
    """Return the name of the client at an address; in IPv6 a network of 64 bits, which any host may have, is one."""
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
    """Return whether an address, or the one name that always leads to it, is that of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
