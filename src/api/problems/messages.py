"""The messages of validation errors, in the words of JSON and HTTP, in place of the validator's own."""

from collections.abc import Mapping
from typing import Any, Final

_DATE_AND_TIME: Final = "must be a date and a time with an offset, as RFC 3339 writes them"
_WHOLE_NUMBER: Final = "must be a whole number"
_OBJECT: Final = "must be an object"
_ARRAY: Final = "must be an array"

# By the type of the validator's error. Braces name a member of its context.
_MESSAGES: Final[Mapping[str, str]] = {
    "extra_forbidden": "unknown field",
    "missing": "is required",
    "string_type": "must be a text",
    "string_unicode": "must be valid Unicode text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_pattern_mismatch": "does not have the required form: see the description of this value",
    "enum": "must be one of: {expected}",
    "literal_error": "must be one of: {expected}",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "datetime_type": _DATE_AND_TIME,
    "datetime_parsing": _DATE_AND_TIME,
    "datetime_from_date_parsing": _DATE_AND_TIME,
    "timezone_aware": _DATE_AND_TIME,
}


def message_of(error: Mapping[str, Any]) -> str:
    """Return what is wrong, for the client. Errors of the service's own rules have their message already."""
    template = _MESSAGES.get(error["type"])
    return str(error["msg"]) if template is None else template.format_map(error.get("ctx", {}))
