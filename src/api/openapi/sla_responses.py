"""The successes of the operations on service levels."""

from typing import Final

from api.openapi.responses import ResponseDoc

POLICIES: Final = ResponseDoc(200, "The policies.", (), ("policies",))
POLICY: Final = ResponseDoc(200, "The policy.", ("ETag",), ("policy",))
POLICY_CREATED: Final = ResponseDoc(201, "The created policy.", ("Location", "ETag"), ("policy",))
POLICY_CHANGED: Final = ResponseDoc(200, "The policy after the change.", ("ETag",), ("policy",))
RECOMPUTED: Final = ResponseDoc(200, "What changed, or would change.", (), ("recomputed",))
