"""A signal within this process that its publisher gave positions to events."""

from services.tickets.commit_signal import CommitSignal


class PublishedSignal(CommitSignal):
    """Wakes the readers of the event log; `last_position` is the highest that this process knows of, 0 at first.

    It does not know what other processes publish: a reader waits with a timeout of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last_position = 0

    def advance(self, position: int) -> None:
        """Wake every reader that waits, if `position` is higher than the highest known one."""
        if position > self.last_position:
            self.last_position = position
            self.notify()
