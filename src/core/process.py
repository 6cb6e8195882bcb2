"""The state of this process: its shutdown, and its garbage collector."""

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


def freeze_startup_objects() -> None:
    """Exclude all objects that exist now from garbage collection, and collect less often; call it when startup ends."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
