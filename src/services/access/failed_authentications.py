"""How often one client may fail to prove who it is."""

from core.client_address import client_of
from core.rate import Rate
from db.redis.rate_limit import LocalLimit


class FailedAuthentications:
    """Counts failures by client address, in this process alone.

    With several processes, a client has as many tries in each of them as are allowed. Redis is not asked: who guesses
    should cost as little as can be, and be refused when Redis is away.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._failures = LocalLimit(rate)

    def is_blocked(self, address: str) -> bool:
        """Return whether to refuse a client unheard."""
        client = client_of(address)
        return client in self._failures and not self._failures.peek(client).passes

    def retry_after_s(self, address: str) -> int:
        """Return after how many seconds a client that is blocked may try again."""
        return self._rate.next_after_s(self._failures.peek(client_of(address)).ahead_us)

    def failed(self, address: str) -> None:
        """Take note that a client at this address failed."""
        self._failures.consume(client_of(address))
