"""What a lookup returns: a serialized ticket, and how the cache was used."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models import Audience

BODY_FIELDS: Final = {Audience.INTERNAL: "b", Audience.PUBLIC: "p"}
"""The fields of a ticket's key in Redis that hold its bodies, by audience."""


class CacheOutcome(StrEnum):
    """How a lookup obtained the ticket; see `CacheCounters` for the meaning of each."""

    HIT = "hit"
    FILLED = "filled"
    NOT_FILLED = "not filled"
    SHARED = "shared"
    BYPASSED = "bypassed"
    STALE_IF_ERROR = "stale if error"


@dataclass(frozen=True, slots=True)
class Stored:
    """A serialized ticket and its version: the body for agents, and the one for requesters.

    A hit has the body of its audience only; the other one is empty.
    """

    version: int
    body: bytes
    public_body: bytes = b""

    @property
    def for_requesters(self) -> "Stored":
        """The same with the body for requesters alone."""
        return Stored(self.version, self.public_body)


def stored_in(field: str, version: bytes, body: bytes) -> Stored:
    """Return a ticket of which one field of its key was read."""
    return Stored(int(version), body) if field == BODY_FIELDS[Audience.INTERNAL] else Stored(int(version), b"", body)
