"""The fields that agents work with: priority, assignee, group, tags, external id."""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from models import Priority, ticket
from schemas.numbers import BodyId

TAG_MAX_LENGTH: Final = 50
PRINCIPAL_ID_MAX_LENGTH: Final = 300
# Letters of every script with their marks; a letter that has a lower case must be in lower case.
_TAG_CATEGORIES: Final = frozenset("LMN")
_TAG_CHARACTERS: Final = frozenset("-_:.")


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


def _tag(value: str) -> str:
    """Return a tag with its characters composed (NFC): each tag has one spelling."""
    tag = unicodedata.normalize("NFC", value)
    is_of_tags = all(each in _TAG_CHARACTERS or unicodedata.category(each)[0] in _TAG_CATEGORIES for each in tag)
    if not is_of_tags or tag != tag.lower():
        raise PydanticCustomError("tag", "must be letters in lower case, digits and the characters - _ : .")
    if len(tag) > TAG_MAX_LENGTH:
        raise PydanticCustomError("tag", "must have at most 50 characters in its composed form (NFC)")
    if not tag.strip("."):  # a path with such a segment names another resource
        raise PydanticCustomError("tag", "must not consist of dots")
    return tag


def _sorted(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags without repetitions, sorted, as they are stored."""
    distinct = tuple(sorted(set(tags)))
    if len(distinct) > ticket.MAX_TAGS:
        raise PydanticCustomError("too_many_tags", "must have at most {most} tags", {"most": ticket.MAX_TAGS})
    return distinct


_TAG_SCHEMA: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": TAG_MAX_LENGTH,
    "pattern": r"^[\w\-:.]+$",
    "examples": ["printer"],
}
Tag = Annotated[str, Field(min_length=1, max_length=TAG_MAX_LENGTH), AfterValidator(_tag), WithJsonSchema(_TAG_SCHEMA)]
Tags = Annotated[
    tuple[Tag, ...],
    Field(
        max_length=2 * ticket.MAX_TAGS,
        json_schema_extra=_without_default,
        description="All tags of the ticket, at most 50, each 1 to 50 letters in lower case, digits and `-_:.`. A "
        "PATCH replaces the whole list: send `If-Match`, or add and remove single tags with "
        "`PUT` and `DELETE /tickets/{ticket_id}/tags/{tag}`.",
        examples=[["printer", "vip"]],
    ),
    AfterValidator(_sorted),
]
NewPriority = Annotated[
    Priority, Field(json_schema_extra=_without_default, description="The priority.", examples=["high"])
]
AssigneeId = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=PRINCIPAL_ID_MAX_LENGTH,
        pattern=r"^[^\x00]+$",
        json_schema_extra=_without_default,
        description="The id of the principal that works on the ticket: an active agent or admin. Null: no assignee.",
        examples=["person:17"],
    ),
]
GroupId = Annotated[
    BodyId | None,
    Field(
        json_schema_extra=_without_default,
        description="The id of the active group that is responsible for the ticket. Null: none.",
        examples=[3],
    ),
]
SourceName = Annotated[
    str, Field(min_length=1, max_length=ticket.SOURCE_MAX_LENGTH, pattern=r"^[a-z0-9][a-z0-9_.\-]*$")
]
# What the segment of a path can hold: no slash, and nothing that programs decode in different ways.
ExternalIdText = Annotated[
    str,
    Field(min_length=1, max_length=ticket.EXTERNAL_ID_MAX_LENGTH, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+=\-]*$"),
]
Source = Annotated[
    SourceName | None,
    Field(
        json_schema_extra=_without_default,
        description="The system in which the ticket has `external_id`.",
        examples=["shop"],
    ),
]
ExternalId = Annotated[
    ExternalIdText | None,
    Field(
        json_schema_extra=_without_default,
        description="The id of the ticket in another system, unique for each `source`: letters, digits and `._:@+=-`.",
        examples=["A-1001"],
    ),
]
