"""Corrections of the schemas that pydantic derives, and the schemas of problems, which no route returns as a model."""

from typing import Final

from api.openapi import JSON
from api.problems.types import ALL_PROBLEM_TYPES
from schemas.problem import Problem

_REFERENCE: Final = "#/components/schemas/{model}"

# pydantic takes the description of an enum from its docstring, which is for readers of the code.
_DESCRIPTIONS: Final = {
    "TicketStatus": "The status of a ticket. `open`: new; `answered`: an agent has replied; `awaiting_reply`: the "
    "requester waits for a further reply; `closed`: final.",
    "EventType": "The kind of a change. `created`: the ticket was created; `changed`: its fields or its status were "
    "changed; `commented`: a comment was added, possibly with a status change.",
}


def complete_schemas(schemas: JSON) -> JSON:
    """Return the schemas of the document, given those that FastAPI derives."""
    problem = Problem.model_json_schema(ref_template=_REFERENCE, mode="serialization")
    problem_schemas = problem.pop("$defs") | {"Problem": problem, "ProblemType": _problem_type()}
    any_uri = {"type": "string", "format": "uri-reference"}
    type_ = problem["properties"]["type"]
    del type_["type"]
    type_["anyOf"] = [{"$ref": _REFERENCE.format(model="ProblemType")}, any_uri]
    for schema in problem_schemas.values():
        for member in schema.get("properties", {}).values():
            remove_null(member)
    completed = schemas | problem_schemas
    for name, description in _DESCRIPTIONS.items():
        completed[name]["description"] = description
    return {name: completed[name] for name in sorted(completed)}


def remove_null(schema: JSON) -> None:
    """Remove null from an optional member or parameter: it is absent instead."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0] | schema)
    if schema.get("default", ...) is None:
        del schema["default"]


def _problem_type() -> JSON:
    return {
        "title": "ProblemType",
        "description": "The problem types of this release.",
        "type": "string",
        "enum": [problem_type.type for problem_type in ALL_PROBLEM_TYPES],
    }
