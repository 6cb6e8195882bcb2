"""A pool of connections that knows who waits for one."""

from dataclasses import dataclass

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.pool import ConnectionPoolEntry


@dataclass(frozen=True, slots=True)
class PoolState:
    """How many connections a pool may have, how many are lent, and how many wait for one."""

    size: int
    in_use: int
    waiting: int


class WatchedPool(AsyncAdaptedQueuePool):
    """Connecting counts as waiting: to whoever wants a connection it is the same."""

    # Otherwise it would log under our name, and tell at `info` what SQLAlchemy keeps to itself.
    _sqla_logger_namespace = "sqlalchemy.pool.WatchedPool"
    _waiting = 0

    @property
    def state(self) -> PoolState:
        """How the pool stands now."""
        return PoolState(self.size(), self.checkedout(), self._waiting)

    def _do_get(self) -> ConnectionPoolEntry:
        self._waiting += 1
        try:
            return super()._do_get()
        finally:
            self._waiting -= 1
