"""Parts of field definitions that several models share: annotations of the JSON Schema, and absent members."""

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


def is_absent(value: object) -> bool:
    """Return whether a member is left out of the JSON: one of two members that exclude each other."""
    return value is None


class ExtensibleEnum:
    """Documents an enum to which values may be added: clients have to accept any string."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the enum or of any string."""
        return {"anyOf": [handler(core_schema), {"type": "string"}]}


class DocumentedAs:
    """Documents a field as a model while its value stays a plain dict, in its own order and without validation."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_json_schema__(self, _core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the model."""
        return handler(self._model.__pydantic_core_schema__)
