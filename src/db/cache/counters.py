"""What the cache did, counted since the start of the process."""

from dataclasses import dataclass


@dataclass(slots=True)
class CacheCounters:
    """One number for each thing an operator asks about."""

    hits: int = 0
    """Lookups answered with stored bytes."""
    fills: int = 0
    """Misses whose ticket was stored."""
    refused_fills: int = 0
    """Misses whose ticket had been overwritten, or whose lease had ended, before it could be stored."""
    failed_fills: int = 0
    """Misses whose ticket could not be stored because Redis did not take it."""
    waits: int = 0
    """Misses that found somebody else's lease."""
    shared: int = 0
    """Misses answered by a load that was already under way in this process."""
    bypasses: int = 0
    """Lookups that went past the cache: asked to, or because Redis did not answer."""
    failed_invalidations: int = 0
    """Invalidations that did not reach Redis when they were due."""
    late_invalidations: int = 0
    """Those of them that reached it later."""
    breaker_openings: int = 0
    """Times a Redis node was found not to answer, and left alone."""
