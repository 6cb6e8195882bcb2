"""The hand-over of a person's tickets, in its request and in its response."""

from typing import Annotated

from pydantic import BaseModel, Field

from schemas.numbers import BodyId
from schemas.request_body import RequestBody
from schemas.working_fields import PRINCIPAL_ID_MAX_LENGTH


class HandOver(RequestBody):
    """The new assignee and the new group of the tickets."""

    assignee_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=PRINCIPAL_ID_MAX_LENGTH,
            pattern=r"^[^\x00]+$",
            description="The id of the active agent or admin that gets the tickets. Null: no assignee.",
            examples=["key:crm"],
        ),
    ]
    group_id: Annotated[
        BodyId | None,
        Field(
            description="The id of the active group that gets the tickets. Null or absent: they keep their groups.",
            examples=[1],
        ),
    ] = None


class HandedOver(BaseModel):
    """What a hand-over did."""

    handed_over: int = Field(description="The number of tickets that were changed.", examples=[12])
    is_complete: bool = Field(
        description="False if the time limit of the request was too short for all tickets: send it again.",
        examples=[True],
    )
