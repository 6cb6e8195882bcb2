"""The query of a list of tickets as a text, in bodies: validated like that of `GET /tickets`, without a page."""

from typing import Annotated, Final, get_origin
from urllib.parse import parse_qsl

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from models.saved_view import QUERY_MAX_LENGTH
from schemas.lists import Paging, TicketQuery

NOT_A_QUERY: Final = "must be a query of GET /tickets: its filters and sort, without limit and cursor"

_MAX_PARAMETERS: Final = 100
_LISTS: Final = frozenset(
    name for name, field in TicketQuery.model_fields.items() if get_origin(field.annotation) is list
)


def parsed_query(text: str) -> TicketQuery:
    """Return the query of a text such as `status=open&assignee=me`. Raises ValueError if it is none."""
    values: dict[str, str | list[str]] = {}
    pairs = parse_qsl(
        text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_PARAMETERS
    )
    for name, value in pairs if text else ():
        if name in _LISTS:
            values[name] = [*values.get(name, ()), value]
        elif name in values or name in Paging.model_fields:
            raise ValueError(f"{name} must not be there, or must be there once")
        else:
            values[name] = value
    return TicketQuery.model_validate(values)


def _checked(text: str) -> str:
    try:
        parsed_query(text)
    except (ValueError, ValidationError):
        raise PydanticCustomError("ticket_query", NOT_A_QUERY) from None
    return text


QueryText = Annotated[
    str,
    Field(
        max_length=QUERY_MAX_LENGTH,
        description="The filters and the order, as in the query of `GET /tickets`, percent-encoded and without `?`. "
        "`limit` and `cursor` are refused. `me` is the principal that reads the view. Empty: all tickets.",
        examples=["status=open&status=awaiting_reply&assignee=me&sort=priority"],
    ),
    AfterValidator(_checked),
]
