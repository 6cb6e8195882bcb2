"""The base classes of request bodies."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError


def without_default(schema: JsonDict) -> None:
    """Remove the default of a field of a merge patch, which is never read."""
    schema.pop("default", None)


class RequestBody(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MergePatch(RequestBody):
    """A JSON merge patch (RFC 7396): `model_fields_set` names the fields that are present, at least one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _require_a_field(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(type(self).model_fields)
            raise PydanticCustomError("empty_patch", "must change at least one of: {fields}", {"fields": fields})
        return self
