"""The limit of failed authentications of one client."""

from core.client_address import client_of
from core.rate import Rate
from db.redis.rate_limit import LocalLimit


class FailedAuthentications:
    """Counts failures by client address, within this process.

    With several processes, the limit applies to each of them. Redis is not used: a guessed key must cost little, and be
    refused while Redis is unavailable too.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._failures = LocalLimit(rate)

    def is_blocked(self, address: str) -> bool:
        """Return whether a client has used up its failures, so that its credentials are not verified."""
        client = client_of(address)
        return client in self._failures and not self._failures.peek(client).passes

    def retry_after_s(self, address: str) -> int:
        """Return after how many seconds a blocked client may try again."""
        return self._rate.next_after_s(self._failures.peek(client_of(address)).ahead_us)

    def record(self, address: str) -> None:
        """Count one failure of the client at an address."""
        self._failures.consume(client_of(address))
