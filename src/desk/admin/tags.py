"""Tags: how many tickets have them, and their renaming."""

from collections.abc import Sequence
from typing import Final

from desk.admin.area import Area, Change, Listing, Row, Stored
from desk.admin.inputs import Input, as_values
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.validation import validated
from schemas.tags import TagCount, TagRename, TagsQuery

_INPUT: Final = Input(
    "to",
    N_("New name"),
    is_required=True,
    max_length=50,
    hint=N_("Closed tickets get it too. A tag that exists already has the tickets of both then."),
)


class TagArea(Area):
    """Tags. They exist while a ticket has them."""

    slug = "tags"
    title = N_("Tags")
    about = N_("The tags in use. A tag can be renamed, or merged into another one, on all tickets.")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return a page of tags in the order of their characters."""
        query = asked.request.query_params
        wanted = validated(TagsQuery, "query", prefix=query.get("q", ""), cursor=query.get("cursor") or None)
        page = await admin_services(asked).tags.page(wanted, asked.principal)
        rows = [Row(each.tag, (each.tag, _count(each))) for each in page.items]
        return Listing((N_("Tag"), N_("Tickets")), rows, page.next_cursor, searches=N_("Beginning of the tag"))

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the input of the new name."""
        return (_INPUT,)

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a tag."""
        return Stored(key, as_values({"to": key}))

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Rename a tag."""
        rename = validated(TagRename, **{"from": key, "to": change.values.text("to").strip().lower()})
        await admin_services(asked).tags.rename(rename, asked.principal)


def _count(tag: TagCount) -> str:
    return f"{tag.more_than}+" if tag.more_than is not None else str(tag.count)
