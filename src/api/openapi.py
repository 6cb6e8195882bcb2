"""The OpenAPI document: what FastAPI derives from the routes, and the schema that all problems share."""

from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import compile_path

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


def allowed_methods(request: Request) -> list[str]:
    """Return every method that a request's path takes; the framework knows only those of the first route it tries."""
    methods: set[str] = set()
    for path, operations in request.app.openapi()["paths"].items():
        if compile_path(path)[0].fullmatch(request.url.path):
            methods |= {method.upper() for method in operations}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
