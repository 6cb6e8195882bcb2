"""The addresses that webhooks may be sent to: public ones, and the networks that the operator allows.

The list is our own, because `ipaddress.is_global` differs between the versions of Python. It has the special-purpose
addresses of RFC 6890 and of the registries of IANA since, and the addresses at which clouds serve metadata.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_MAX_LENGTH: Final = 2_048
PORTS: Final = frozenset({443, 8443})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_NOT_PUBLIC: Final = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        "100.64.0.0/10",  # shared by the customers of a provider
        "169.254.0.0/16",  # link-local, with the metadata of most clouds
        "168.63.129.16/32",  # the metadata of Azure
        *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"),
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),  # documentation
        "198.18.0.0/15",  # benchmarks
        *("224.0.0.0/4", "240.0.0.0/4"),
    )
)
# Only these are allocated to hosts. Outside are loopback, unique local, link-local, multicast and NAT64.
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols, Teredo among them, which contains addresses of IPv4
        "2002::/16",  # 6to4, which contains them as well
        *("2001:db8::/32", "3fff::/20"),  # documentation
        "2620:4f:8000::/48",
    )
)


class AddressRefused(Exception):
    """Webhooks may not be sent to this address."""


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses are permitted: the public ones, at the ports of HTTPS, and any port of the allowed networks."""

    allowed: Sequence[Network] = ()

    def ensure_permitted(self, address: Address, port: int, *, is_encrypted: bool) -> None:
        """Raise AddressRefused unless a connection to the address is permitted."""
        if self._is_allowed(address):
            return
        if not is_public(address):
            raise AddressRefused(f"{address} is not a public address")
        if not is_encrypted:
            raise AddressRefused(f"{address} must be called with https")
        if port not in PORTS:
            raise AddressRefused(f"{address} must be called at port 443 or 8443")

    def ensure_valid(self, url: str) -> None:
        """Raise AddressRefused unless a URL has the form of one that may be called. Its name is not resolved."""
        parts, port = _parsed(url)
        schemes = ("https", "http") if self.allowed else ("https",)
        if parts.scheme not in schemes:
            raise AddressRefused(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        address = _literal(parts.hostname or "")
        if address is not None:
            self.ensure_permitted(address, port, is_encrypted=parts.scheme == "https")
        elif port not in PORTS and not self.allowed:
            raise AddressRefused("must have port 443 or 8443")

    def _is_allowed(self, address: Address) -> bool:
        mapped = _without_mapping(address)
        return any(mapped in network for network in self.allowed if network.version == mapped.version)


def is_public(address: Address) -> bool:
    """Return whether an address is that of a host on the Internet."""
    address = _without_mapping(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def _without_mapping(address: Address) -> Address:
    """Return the address of IPv4 that `::ffff:0:0/96` contains."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _parsed(url: str) -> tuple[SplitResult, int]:
    if len(url) > URL_MAX_LENGTH or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused(f"must be a URL of at most {URL_MAX_LENGTH} ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise AddressRefused("must be a valid URL") from None
    if not parts.hostname:
        raise AddressRefused("must be a URL with a host")
    if "@" in parts.netloc:
        raise AddressRefused("must not contain credentials")
    if "#" in url:
        raise AddressRefused("must not contain a fragment")
    return parts, port


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
