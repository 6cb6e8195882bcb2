"""The audience of events and of comments."""

from enum import StrEnum


class Audience(StrEnum):
    """Which principals may see an event or a comment."""

    PUBLIC = "public"
    """Agents, and the requester and the participants of the ticket."""
    INTERNAL = "internal"
    """Agents only."""
