"""The components of the OpenAPI document, which its operations refer to."""

from typing import Final

from api.openapi import (
    JSON,
    calendar_examples,
    desk_examples,
    directory_examples,
    event_examples,
    examples,
    rule_examples,
    sla_examples,
    webhook_examples,
)
from api.openapi.headers import HEADERS
from api.openapi.responses import shared_responses
from api.openapi.schemas import complete_schemas
from api.problems.handlers import example
from api.problems.types import ALL_PROBLEM_TYPES

_RESPONSES: Final = (
    examples.RESPONSES
    | directory_examples.RESPONSES
    | calendar_examples.RESPONSES
    | webhook_examples.WEBHOOK_RESPONSES
    | sla_examples.SLA_RESPONSES
    | rule_examples.RULE_RESPONSES
    | event_examples.EVENT_RESPONSES
    | desk_examples.DESK_EXAMPLES
)

SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "API key or JWT",
        "description": "An API key (`tk_…`), or a JSON Web Token of the OpenID Connect issuer that the service trusts.",
    }
}


def components(schemas: JSON) -> JSON:
    """Return all components, given the schemas that FastAPI derives."""
    return {
        "schemas": complete_schemas(schemas),
        "responses": shared_responses(),
        "headers": HEADERS,
        "examples": {name: {"value": value} for name, value in _RESPONSES.items()}
        | {each.slug: {"summary": each.title, "value": example(each)} for each in ALL_PROBLEM_TYPES},
        "securitySchemes": SECURITY_SCHEMES,
    }
