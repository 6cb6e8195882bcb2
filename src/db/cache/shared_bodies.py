"""Shares large bodies between the responses that are being sent.

A response that its client does not read keeps its body in memory. Each hit reads a body of its own from Redis: 50
clients that read the same ticket slowly would hold 50 equal bodies of 256 KiB.
"""

from collections import OrderedDict
from typing import Final

MIN_SHARED_BYTES: Final = 32 * 1024
MAX_BODIES: Final = 16


class SharedBodies:
    """The last large bodies that were read."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()

    def shared(self, version: bytes, body: bytes) -> bytes:
        """Return an equal body that was read before, or this one. A small body is not worth the comparison."""
        if len(body) < MIN_SHARED_BYTES:
            return body
        # Bodies of different tickets may have the same key, so they are compared: 10 µs for 256 KiB.
        key = version, len(body)
        known = self._bodies.pop(key, body)
        self._bodies[key] = body = known if known == body else body
        if len(self._bodies) > MAX_BODIES:
            self._bodies.popitem(last=False)
        return body
