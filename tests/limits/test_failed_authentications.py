import time

import pytest

from core.client_address import client_of
from core.rate import Rate
from services.access.failed_authentications import FailedAuthentications


def test_an_address_is_blocked_for_a_while_after_too_many_failures() -> None:
    failures = FailedAuthentications(Rate(3, 1))
    for _ in range(3):
        assert not failures.is_blocked("192.0.2.1")
        failures.record("192.0.2.1")
    assert failures.is_blocked("192.0.2.1")
    assert failures.retry_after_s("192.0.2.1") == 1
    time.sleep(0.4)
    assert not failures.is_blocked("192.0.2.1")


def test_other_addresses_are_not_blocked() -> None:
    failures = FailedAuthentications(Rate(1, 60))
    failures.record("192.0.2.1")
    assert not failures.is_blocked("192.0.2.2")


def test_an_ipv6_network_is_one_client() -> None:
    failures = FailedAuthentications(Rate(1, 60))
    failures.record("2001:db8:1:2::1")
    assert failures.is_blocked("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert not failures.is_blocked("2001:db8:1:3::1")


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_an_address_names_its_client(address: str, client: str) -> None:
    assert client_of(address) == client
