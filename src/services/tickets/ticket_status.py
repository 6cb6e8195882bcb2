"""The status machine: one table, and one function that checks it. API, database guard, docs and tests read it."""

from collections.abc import Mapping, Set
from typing import Final

from core.errors import IllegalTransition
from models import TicketStatus
from schemas.workflow import Workflow

INITIAL: Final = TicketStatus.OPEN

TRANSITIONS: Final[Mapping[TicketStatus, Set[TicketStatus]]] = {
    TicketStatus.OPEN: {TicketStatus.ANSWERED, TicketStatus.CLOSED},
    TicketStatus.ANSWERED: {TicketStatus.AWAITING_REPLY, TicketStatus.CLOSED},
    TicketStatus.AWAITING_REPLY: {TicketStatus.ANSWERED, TicketStatus.CLOSED},
    TicketStatus.CLOSED: frozenset(),
}


def allowed_from(status: TicketStatus) -> list[TicketStatus]:
    """Return the statuses that `status` can change to, in the order of their declaration."""
    return [target for target in TicketStatus if target in TRANSITIONS[status]]


def is_final(status: TicketStatus) -> bool:
    """Return whether `status` has no transitions."""
    return not TRANSITIONS[status]


def ensure_allowed(source: TicketStatus, target: TicketStatus) -> None:
    """Raise IllegalTransition unless `source` can change to `target`. A transition to the current status is illegal."""
    if target not in TRANSITIONS[source]:
        raise IllegalTransition(source, target, allowed_from(source))


def mermaid() -> str:
    """Return the machine as a Mermaid state diagram, one edge a line."""
    edges = [f"[*] --> {INITIAL}"]
    for source in TicketStatus:
        edges += [f"{source} --> {target}" for target in allowed_from(source)]
        if is_final(source):
            edges.append(f"{source} --> [*]")
    return "\n".join(["stateDiagram-v2", *(f"    {edge}" for edge in edges)])


def workflow() -> Workflow:
    """Return the machine as data and as a diagram."""
    transitions = {status: allowed_from(status) for status in TicketStatus}
    return Workflow(initial=INITIAL, transitions=transitions, mermaid=mermaid())
