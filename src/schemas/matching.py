"""Which tickets a policy or a rule is for."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from models import Priority
from schemas.custom_values import KEY_PATTERN
from schemas.fields import normal_domain
from schemas.numbers import BodyId
from schemas.working_fields import Tag

MAX_VALUES: Final = 50
DOMAIN_MAX_LENGTH: Final = 252
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": r"^[^\u0000]+$"}

Domain = Annotated[
    str,
    StringConstraints(min_length=1, max_length=DOMAIN_MAX_LENGTH),
    AfterValidator(normal_domain),
    WithJsonSchema({"type": "string", "format": "idn-hostname", "minLength": 1, "maxLength": DOMAIN_MAX_LENGTH}),
]
CustomKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
CustomText = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]


def _few_fields(custom: dict[str, list[str]]) -> dict[str, list[str]]:
    if len(custom) > MAX_VALUES:
        raise PydanticCustomError("too_many_fields", "must have at most {most} members", {"most": MAX_VALUES})
    return custom


class TicketMatch(BaseModel):
    """Conditions on a ticket. All members that are present must hold; of the values of a member, any one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priority: list[Priority] = Field(
        default=[],
        max_length=len(Priority),
        description="The ticket has one of these priorities.",
        examples=[["urgent"]],
    )
    group_id: list[BodyId] = Field(
        default=[], max_length=MAX_VALUES, description="The ticket is assigned to one of these groups.", examples=[[1]]
    )
    tag: list[Tag] = Field(
        default=[], max_length=MAX_VALUES, description="The ticket has one of these tags.", examples=[["vip"]]
    )
    domain: list[Domain] = Field(
        default=[],
        max_length=MAX_VALUES,
        description="The email address of the requester is of one of these domains, in any spelling.",
        examples=[["example.com"]],
    )
    custom: Annotated[
        dict[CustomKey, Annotated[list[CustomText], Field(min_length=1, max_length=MAX_VALUES)]],
        AfterValidator(_few_fields),
        WithJsonSchema(
            {
                "type": "object",
                "maxProperties": MAX_VALUES,
                "propertyNames": {"type": "string", "pattern": KEY_PATTERN},
                "additionalProperties": {"type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": _TEXT},
            }
        ),
    ] = Field(
        default={},
        description="By the key of a custom field: it has one of these values, written as in the filters of lists.",
        examples=[{"device": ["printer", "scanner"]}],
    )
