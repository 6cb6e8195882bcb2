"""Who asks, and what that lets them do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a principal is here for."""

    AGENT = "agent"
    """Works on every ticket."""
    REQUESTER = "requester"
    """Sees and touches the tickets of one e-mail address, in its name."""
    MONITOR = "monitor"
    """Reads the metrics and nothing else."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who was let in. `id` names them in events, logs and limits; `email` is what a requester is bound to."""

    id: str
    role: Role
    email: str | None = None


ANONYMOUS: Final = Principal("anonymous", Role.AGENT)
