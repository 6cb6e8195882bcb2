"""Whole numbers in JSON bodies."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

# The largest number that every JSON parser keeps exactly (RFC 8259, section 6).
MAX_SAFE_INTEGER: Final = 2**53 - 1


def whole_number(value: object) -> object:
    """Accept `2` and `2.0`, which JSON Schema does not distinguish, and nothing that is not a number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole_number", "must be a whole number")
    return value


# The bounds precede the validator, so that they are part of the documented schema.
BodyId = Annotated[int, Field(ge=1, le=MAX_SAFE_INTEGER), BeforeValidator(whole_number)]
