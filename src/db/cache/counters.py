"""What the cache did, counted since the start of the process."""

from dataclasses import dataclass


@dataclass(slots=True)
class CacheCounters:
    """One counter for each event that operators monitor."""

    hits: int = 0
    """Lookups that returned the cached body."""
    fills: int = 0
    """Misses whose body was stored."""
    refused_fills: int = 0
    """Misses whose body was refused: the ticket had changed or the lease had ended before the fill."""
    failed_fills: int = 0
    """Misses whose body was not stored because Redis did not respond."""
    waits: int = 0
    """Misses that found the lease of another reader."""
    shared: int = 0
    """Misses that returned the result of a load already in progress in this process."""
    bypasses: int = 0
    """Lookups that did not use the cache: the client asked for that, or Redis did not respond."""
    failed_invalidations: int = 0
    """Invalidations that did not reach Redis: their writers let the fence of the tickets expire."""
    fence_waits: int = 0
    """Changes that were acknowledged only after the fence of their tickets had expired."""
    stale_if_error: int = 0
    """Lookups that returned the stored body because there was no fence and PostgreSQL was unavailable."""
    breaker_openings: int = 0
    """How often the circuit breaker of a Redis node opened."""
