"""The state of this process: its shutdown, its background work, and its garbage collector."""

import gc
from typing import Final

# Requests leave no reference cycles behind, so the collector finds little. Its defaults (every 700 objects, and from
# time to time every object that was ever imported) took an eighth of the time of a cached lookup.
GC_THRESHOLD: Final = 20_000


class ShutdownState:
    """False until the process receives a signal to stop, True from then on."""

    def __init__(self) -> None:
        self._has_begun = False

    def __bool__(self) -> bool:
        return self._has_begun

    def begin(self) -> None:
        """Mark the process as stopping."""
        self._has_begun = True


class BackgroundState:
    """The background work of this process that has failed and not recovered yet."""

    def __init__(self) -> None:
        self._is_required: dict[str, bool] = {}

    @property
    def failing(self) -> list[str]:
        """The names of the work, sorted."""
        return sorted(self._is_required)

    @property
    def is_required_failing(self) -> bool:
        """Whether work fails without which the process is not ready."""
        return any(self._is_required.values())

    def fail(self, name: str, *, is_required: bool) -> None:
        """Record a failure."""
        self._is_required[name] = is_required

    def recover(self, name: str) -> None:
        """Record that the work has recovered, if it had failed."""
        self._is_required.pop(name, None)


def freeze_startup_objects() -> None:
    """Exclude all objects that exist now from garbage collection, and collect less often; call it when startup ends."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
