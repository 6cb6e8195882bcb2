"""The fence: a lease on the truth of the cached bodies of a whole group of tickets.

A fence is a key with a random value, the epoch, that lives for FENCE_MS unless it is renewed. A body is stored with the
epoch that its reader saw when it took the lease, and is served only while the fence has that epoch. A body that could
not be invalidated is therefore not served any more once the fence of its group has expired, and a fence that is made
again has a new epoch, which voids every earlier body.

Every serving process renews the fences. A round reads the clock of Redis, then the states of the groups in PostgreSQL,
then renews the fences of the groups that are `up`, by a script that refuses when it arrives more than WINDOW_MS after
the first reading: a renewal that was delayed anywhere is void. `db.cache.invalidation` is the writer's side. The model
in `tests/db/cache/cache_model.py` checks the protocol over every order of its steps.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Final

from core.errors import Unavailable
from db.cache.fence_groups import FENCE_MS, WINDOW_MS, FenceGroups, Marks
from db.cache.scripts import RENEW
from db.redis.batches import Batches
from db.redis.guard import GuardedRedis
from models import FENCE_GROUPS

ROUND_S: Final = FENCE_MS / 4000
"""How long a process waits between two rounds; a fence survives two rounds that fail."""
FRESH_MS: Final = FENCE_MS * 2 // 3
"""A fence that lives longer than this was just renewed, by another process, and is left alone."""
_TIMEOUT_S: Final = WINDOW_MS / 1000

_log = logging.getLogger(__name__)


def group_of(ticket_id: int) -> int:
    """Return the fence group of a ticket."""
    return ticket_id % FENCE_GROUPS


def fence_key(prefix: str, group: int) -> str:
    """Return the key of a group's fence; the hash tag puts it into the slot of the group's tickets."""
    return f"{prefix}fence:{{g{group}}}"


def ticket_key(prefix: str, ticket_id: int) -> str:
    """Return the key of a ticket's hash."""
    return f"{prefix}ticket:{{g{group_of(ticket_id)}}}:{ticket_id}"


class FenceRenewer:
    """Renews the fences of this service's keys, and sets groups up again after an outage of Redis."""

    def __init__(self, redis: GuardedRedis, groups: FenceGroups, *, prefix: str) -> None:
        self._batches = Batches(redis)
        self._groups = groups
        self._keys = [fence_key(prefix, group) for group in range(FENCE_GROUPS)]

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            try:
                await self.renew()
            except Unavailable as error:
                _log.debug("the fences of the cache were not renewed: %s", error)
            await asyncio.sleep(ROUND_S)

    async def renew(self) -> None:
        """Do one round. Raises Unavailable when PostgreSQL does not respond; nodes that do not respond are left out."""
        clocks = await self._batches.clocks(self._keys, timeout_s=_TIMEOUT_S)
        if not clocks:
            return
        up, down = await self._groups.read_states()
        renewals = {
            key: (clocks[key], WINDOW_MS, FENCE_MS, FRESH_MS, secrets.token_hex(8))
            for key in (self._keys[group] for group in up)
            if key in clocks
        }
        await self._batches.run(RENEW, renewals, timeout_s=_TIMEOUT_S)
        await self._set_up({group: mark for group, mark in down.items() if self._keys[group] in clocks})

    async def _set_up(self, down: Marks) -> None:
        """Set groups up whose node answers again; their fences are made in the next round."""
        set_up = [group for group, mark in down.items() if await self._groups.set_up(group, mark)]
        if set_up:
            _log.warning("the cache serves %d groups of tickets again: %s", len(set_up), _listed(set_up))


def _listed(groups: Sequence[int]) -> str:
    return ", ".join(map(str, groups))
