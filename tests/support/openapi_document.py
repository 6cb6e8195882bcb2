"""Reads an OpenAPI document: its operations, its responses, its references."""

from collections.abc import Iterator
from typing import Any

from support.factories import JSON


def operations(document: JSON) -> dict[str, JSON]:
    """Return the operations by their ids."""
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def responses(document: JSON) -> Iterator[tuple[str, int, JSON]]:
    """Yield each response with its operation id and its status, references resolved."""
    for name, operation in operations(document).items():
        for status, response in operation["responses"].items():
            yield name, int(status), resolved(document, response)


def resolved(document: JSON, part: JSON) -> Any:
    """Return the target of a reference, or the part itself if it is not one."""
    if "$ref" not in part:
        return part
    target: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


def texts(part: Any, names: frozenset[str] = frozenset({"summary", "description"})) -> Iterator[str]:
    """Yield each text for people in a part of the document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in names and isinstance(value, str):
                yield value
            else:
                yield from texts(value, names)
    elif isinstance(part, list):
        for each in part:
            yield from texts(each, names)
