"""The limit of failed attempts to sign in, of each client address and of each account."""

from core.rate import Rate
from core.sign_in_errors import TooManyAttempts
from services.access.failed_authentications import FailedAuthentications


class SignInAttempts:
    """Counts failures within this process, by address together with those of API keys, and by account.

    An unknown email address counts as an account, so that the limit does not tell which addresses are known.
    """

    def __init__(self, failures: FailedAuthentications, rate: Rate) -> None:
        self._of_addresses = failures
        self._of_accounts = FailedAuthentications(rate)

    def ensure_allowed(self, address: str, account: str) -> None:
        """Raise TooManyAttempts if one of the limits is reached."""
        for failures, client in ((self._of_addresses, address), (self._of_accounts, account)):
            if failures.is_blocked(client):
                raise TooManyAttempts(failures.retry_after_s(client))

    def record(self, address: str, account: str) -> None:
        """Count one failure."""
        self._of_addresses.record(address)
        self._of_accounts.record(account)
