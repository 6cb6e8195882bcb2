"""The OpenAPI document: what FastAPI derives from the routes, and the schema that all problems share."""

from typing import Any

from fastapi import FastAPI

from schemas.problem import Problem

_SCHEMAS = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Make the app's document complete."""
    derive = app.openapi

    def complete() -> dict[str, Any]:
        document = derive()
        problem = Problem.model_json_schema(ref_template=_SCHEMAS, mode="serialization")
        document["components"]["schemas"] |= problem.pop("$defs") | {"Problem": problem}
        return document

    app.openapi = complete  # type: ignore[method-assign] # FastAPI's documented way to extend the document
