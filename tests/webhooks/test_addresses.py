from ipaddress import ip_address, ip_network

import pytest

from services.webhooks.addresses import AddressPolicy, AddressRefused, is_public

STRICT = AddressPolicy()
LOOPBACK = AddressPolicy([ip_network("127.0.0.0/8")])

NOT_PUBLIC = [
    *("0.0.0.1", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "169.254.170.2", "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_no_public_host_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(AddressRefused, match="public"):
        STRICT.ensure_permitted(ip_address(address), 443, is_encrypted=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "100.63.255.255", "172.32.0.1"])
def test_a_public_address_is_called_with_https_at_its_ports_only(address: str) -> None:
    for port in (443, 8443):
        STRICT.ensure_permitted(ip_address(address), port, is_encrypted=True)
        with pytest.raises(AddressRefused, match="https"):
            LOOPBACK.ensure_permitted(ip_address(address), port, is_encrypted=False)
    with pytest.raises(AddressRefused, match="port"):
        LOOPBACK.ensure_permitted(ip_address(address), 25, is_encrypted=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_an_allowed_network_is_called_at_any_port_without_encryption(address: str) -> None:
    LOOPBACK.ensure_permitted(ip_address(address), 6379, is_encrypted=False)


@pytest.mark.parametrize("address", ["::1", "10.0.0.1"])
def test_only_the_allowed_networks_are_exempt(address: str) -> None:
    with pytest.raises(AddressRefused):
        LOOPBACK.ensure_permitted(ip_address(address), 443, is_encrypted=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/tickets?a=b",
        "https://hooks.example.com:8443",
        "https://[2606:4700:4700::1111]/",
        "https://8.8.8.8/",
    ],
)
def test_a_url_with_https_is_valid(url: str) -> None:
    STRICT.ensure_valid(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example.com/", "https://"),
        ("ftp://hooks.example.com/", "https://"),
        ("hooks.example.com", "host"),
        ("https://", "host"),
        ("https://user:word@hooks.example.com/", "credentials"),
        ("https://@hooks.example.com/", "credentials"),
        ("https://hooks.example.com:99999/", "valid"),
        ("https://hooks.example.com:25/", "port"),
        ("https://hooks.example.com/#x", "fragment"),
        ("https://hooks.example.com/ x", "characters"),
        ("https://hooks.example.com\\@evil.example/", "characters"),
        ("https://hooks.example.com/\r\nX: y", "characters"),
        ("https://пример.рф/", "characters"),
        ("https://hooks.example.com/" + "x" * 2048, "characters"),
        ("https://127.0.0.1/", "public"),
        ("https://[::1]/", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://[", "valid"),
    ],
)
def test_another_url_is_refused(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason):
        STRICT.ensure_valid(url)


def test_with_an_allowed_network_names_may_be_called_without_encryption() -> None:
    """Their addresses are checked when they are called."""
    LOOPBACK.ensure_valid("http://localhost:9000/hook")
    with pytest.raises(AddressRefused):
        LOOPBACK.ensure_valid("http://10.0.0.1/hook")
