"""The values of the custom fields of a ticket. `services.fields.values` validates them by the types of the fields."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from models.custom_field import KEY_MAX_LENGTH

MAX_VALUES: Final = 100
KEY_PATTERN: Final = f"^[a-z][a-z0-9_]{{0,{KEY_MAX_LENGTH - 1}}}$"
_KEY: Final = re.compile(KEY_PATTERN)
_EXAMPLE: Final = {"device": "printer", "floor": 3, "spare_parts": ["toner", "drum"]}
_VALUE: Final = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
    ]
}


def _known_names(values: dict[str, Any]) -> dict[str, Any]:
    if len(values) > MAX_VALUES:
        raise PydanticCustomError("too_many_values", "must have at most {most} members", {"most": MAX_VALUES})
    return values


def _of_json_type(value: object) -> object:
    """Refuse values that no type of field has; `services.fields.values` checks the others by their fields."""
    is_list_of_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if not is_list_of_texts and not isinstance(value, str | int | float | None):
        raise PydanticCustomError("custom_value", "must be a text, a number, true or false, or a list of texts")
    return value


CustomValues = Annotated[
    dict[str, Annotated[Any, AfterValidator(_of_json_type)]],
    AfterValidator(_known_names),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_VALUES,
            "additionalProperties": {"anyOf": [*_VALUE["anyOf"], {"type": "null"}]},
            "examples": [{}],
        }
    ),
    Field(
        description="Values of custom fields, by key, of the types that `GET /fields` returns. In a PATCH, the members "
        "that are present replace the stored values, and null removes one."
    ),
]


def _not_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("custom_value", "must not be null: a rule removes no values")
    return value


SetCustomValues = Annotated[
    dict[str, Annotated[Any, AfterValidator(_of_json_type), AfterValidator(_not_null)]],
    AfterValidator(_known_names),
    WithJsonSchema({"type": "object", "maxProperties": MAX_VALUES, "additionalProperties": _VALUE, "examples": [{}]}),
]
"""Values that a rule sets: it removes none."""
CustomValue = Annotated[Any, WithJsonSchema(_VALUE | {"examples": ["printer"]}), Field(description="A value.")]


def is_key(text: str) -> bool:
    """Return whether a text has the form of the key of a field."""
    return _KEY.fullmatch(text) is not None
