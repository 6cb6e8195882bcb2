"""The definitions of custom fields, in requests and in responses."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from models import FieldType, RequiredAt
from models.custom_field import LABEL_MAX_LENGTH, MAX_OPTIONS
from schemas.custom_values import KEY_PATTERN
from schemas.fields import Storable, text_schema
from schemas.request_body import MergePatch, RequestBody, without_default

OPTION_MAX_LENGTH: Final = 100
_WITH_OPTIONS: Final = frozenset({FieldType.SELECT, FieldType.MULTISELECT})

_KEY: Final = "The key: the name of the value in `custom` of a ticket. It never changes."
_LABEL: Final = "The name for people."
_OPTIONS: Final = "The permitted values of a `select` or `multiselect` field, in order; empty for other types."
_REQUIRED: Final = "When a ticket must have a value: at its creation, or at the transition to `closed`."
_VISIBLE: Final = "Whether requesters see and set the values."
_ARCHIVED: Final = "Whether the field takes no more values. Stored values stay readable."


def _distinct(options: list[str]) -> list[str]:
    if len(set(options)) < len(options):
        raise PydanticCustomError("repeated_options", "must not have the same option twice")
    return options


Label = Annotated[
    str, StringConstraints(min_length=1, max_length=LABEL_MAX_LENGTH), Storable, text_schema(LABEL_MAX_LENGTH, "Device")
]
Option = Annotated[
    str,
    StringConstraints(min_length=1, max_length=OPTION_MAX_LENGTH),
    Storable,
    text_schema(OPTION_MAX_LENGTH, "printer"),
]
Options = Annotated[list[Option], Field(max_length=MAX_OPTIONS), AfterValidator(_distinct)]
Flag = Annotated[bool, Field(strict=True)]


class CustomFieldCreate(RequestBody):
    """A new custom field."""

    key: Annotated[str, Field(pattern=KEY_PATTERN, description=_KEY, examples=["device"])]
    label: Annotated[Label, Field(description=_LABEL)]
    type: FieldType = Field(description="The type of the values. It never changes.", examples=["select"])
    options: Options = Field(default=[], description=_OPTIONS, examples=[["printer", "scanner"]])
    required: RequiredAt = Field(default=RequiredAt.NEVER, description=_REQUIRED, examples=["close"])
    visible_to_requester: Flag = Field(default=False, description=_VISIBLE, examples=[True])

    @model_validator(mode="after")
    def _require_options(self) -> Self:
        ensure_options_fit(self.type, self.options)
        return self


class CustomFieldPatch(MergePatch):
    """A JSON merge patch (RFC 7396): the fields that are present replace the stored values.

    At least one is required.
    """

    label: Annotated[Label, Field(description=_LABEL)] = Field(default="", json_schema_extra=without_default)
    options: Options = Field(
        default=[],
        json_schema_extra=without_default,
        description=f"{_OPTIONS} Values that tickets have already stay as they are.",
        examples=[["printer", "scanner", "phone"]],
    )
    required: RequiredAt = Field(
        default=RequiredAt.NEVER, json_schema_extra=without_default, description=_REQUIRED, examples=["never"]
    )
    visible_to_requester: Flag = Field(
        default=False, json_schema_extra=without_default, description=_VISIBLE, examples=[True]
    )
    archived: Flag = Field(default=False, json_schema_extra=without_default, description=_ARCHIVED, examples=[True])


class CustomField(BaseModel):
    """A custom field."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(description=_KEY, examples=["device"])
    label: str = Field(description=_LABEL, examples=["Device"])
    type: FieldType = Field(description="The type of the values.", examples=["select"])
    options: list[str] = Field(description=_OPTIONS, examples=[["printer", "scanner"]])
    required: RequiredAt = Field(description=_REQUIRED, examples=["close"])
    visible_to_requester: bool = Field(description=_VISIBLE, examples=[True])
    archived: bool = Field(description=_ARCHIVED, examples=[False])
    version: int = Field(
        description="Starts at 1. Each change of the field adds 1. Also sent as the `ETag`.", examples=[1]
    )
    created_at: datetime = Field(description="The time of creation, in UTC.", examples=["2026-03-02T12:31:07.120345Z"])
    updated_at: datetime = Field(
        description="The time of the last change, in UTC.", examples=["2026-03-02T12:31:07.120345Z"]
    )


class CustomFieldList(BaseModel):
    """All custom fields that the caller may see."""

    items: list[CustomField] = Field(description="The fields, in the order of their keys.")


def ensure_options_fit(field_type: FieldType, options: list[str]) -> None:
    """Raise PydanticCustomError unless a field of this type may have these options."""
    if field_type in _WITH_OPTIONS and not options:
        raise PydanticCustomError("options_missing", "a select or multiselect field needs options")
    if field_type not in _WITH_OPTIONS and options:
        raise PydanticCustomError("options_superfluous", "only a select or multiselect field has options")
