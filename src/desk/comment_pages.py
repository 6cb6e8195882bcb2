"""All comments of a ticket, with those of the tickets that were merged into it, page by page."""

from fastapi import Response
from pydantic import ValidationError

from desk.desk_request import DeskRequest
from desk.list_query import invalid
from desk.ticket_view import message_of
from schemas.lists import CommentPaging


async def comments_page(asked: DeskRequest, ticket_id: int) -> Response:
    """Return a page of comments, the oldest first.

    Raises RequestValidationError, TicketNotFound, InvalidCursor.
    """
    try:
        paging = CommentPaging(include="merged", cursor=asked.request.query_params.get("cursor") or None)
    except ValidationError as error:
        raise invalid(error, "query") from None
    page = await asked.services.lists.comments(ticket_id, paging, asked.principal)
    clock = asked.clock
    messages = [message_of(comment, clock, "") for comment in page.items]
    return asked.page("comments.html", {"ticket_id": ticket_id, "messages": messages, "next_cursor": page.next_cursor})
