"""The result of a write, in the form in which it is sent and stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write returns: the JSON that is sent, and the ticket and the version that the response names.

    A retry gets the same bytes, also from a release that would write them in another form.
    """

    body: bytes
    ticket_id: int
    version: int
