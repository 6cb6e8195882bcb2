"""The presence of agents on tickets, so that no two answer a ticket unknowingly.

A presence is a hint: it locks nothing, it is in Redis only, and there is none while Redis is away. The refusal at the
commit (`services.drafts.sending`) keeps an answer from being doubled.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from db.redis.presence import Presence, PresenceStore
from models import Scope
from services.access.principal import Principal

MAX_TICKETS: Final = 50


class Presences:
    """Stores and reads presences, for agents and admins. Every method raises Forbidden and InsufficientScope alone.

    A page repeats `mark` every ten seconds while it is open: a presence ends after 20 s without it.
    """

    def __init__(self, store: PresenceStore) -> None:
        self._store = store

    async def mark(self, ticket_id: int, principal: Principal, *, writes: bool) -> Sequence[Presence]:
        """Store that the caller looks at a ticket, or writes on it; return the presences of others."""
        _require(principal)
        present = await self._store.mark(ticket_id, Presence(principal.id, principal.name, writes))
        return [each for each in present if each.principal_id != principal.id]

    async def leave(self, ticket_id: int, principal: Principal) -> None:
        """Store that the caller has left the ticket."""
        _require(principal)
        await self._store.leave(ticket_id, principal.id)

    async def of(self, ticket_ids: Sequence[int], principal: Principal) -> Mapping[int, Sequence[Presence]]:
        """Return the presences of others on tickets of a list, by the ids of those that have any.

        Raises ValueError for more than 50 tickets.
        """
        _require(principal)
        if len(ticket_ids) > MAX_TICKETS:
            raise ValueError(f"a list has at most {MAX_TICKETS} tickets")
        found = await self._store.of(ticket_ids)
        others = {
            ticket_id: [each for each in present if each.principal_id != principal.id]
            for ticket_id, present in found.items()
        }
        return {ticket_id: present for ticket_id, present in others.items() if present}


def _require(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)
