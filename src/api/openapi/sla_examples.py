"""The examples of service levels. Each request succeeds unchanged."""

from typing import Any, Final

from api.openapi.directory_examples import example_of
from schemas.sla_policies import SlaPolicy

NEW_POLICY: Final = {
    "urgent": {
        "summary": "Urgent tickets: an answer within an hour",
        "value": {
            "name": "Urgent",
            "calendar_id": 1,
            "match": {"priority": ["urgent"]},
            "first_response_s": 3600,
            "next_response_s": 7200,
        },
    },
    "all": {
        "summary": "All other tickets",
        "value": {"name": "Standard", "calendar_id": 1, "position": 1000, "resolution_s": 144_000},
    },
}
POLICY_PATCH: Final = {
    "tighten": {"summary": "Promise more", "value": {"first_response_s": 1800}},
    "deactivate": {"summary": "Use it for no more tickets", "value": {"active": False}},
}
RECOMPUTE: Final = {
    "dry-run": {"summary": "See what would change", "value": {"dry_run": True}},
    "apply": {"summary": "Change it", "value": {"dry_run": False}},
}

_MATCH: Final = {"priority": ["urgent"], "group_id": [], "tag": [], "domain": [], "custom": {}}
_POLICY: Final = example_of(SlaPolicy, match=_MATCH)

SLA_RESPONSES: Final[dict[str, Any]] = {
    "policy": _POLICY,
    "policies": {"items": [_POLICY]},
    "recomputed": {"examined": 500, "items": [], "next_after": 812},
}
