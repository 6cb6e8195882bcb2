"""Groups of agents."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response

from desk.admin.area import Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.inputs import Input, InputKind, Values, as_values, in_units
from desk.admin.options import staff_options
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import ticket_number
from desk.languages import N_
from desk.validation import validated
from schemas.groups import GroupCreate, GroupPatch
from schemas.lists import Paging

_HOUR_S: Final = 3_600
_ACTIVE: Final = Input("active", N_("Active: takes new tickets"), InputKind.CHECKBOX)
_MEMBERS: Final = {"close_after": "auto_close_after"}


class GroupArea(Area):
    """Groups. They are never deleted, because the history names them."""

    slug = "groups"
    title = N_("Groups")
    about = N_("Teams that tickets are assigned to, and their members.")
    new = N_("New group")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return a page of groups in the order of their ids."""
        paging = validated(Paging, "query", cursor=asked.request.query_params.get("cursor"))
        page = await admin_services(asked).groups.page(paging, asked.principal)
        rows = [
            Row(
                str(each.id),
                (each.name, str(len(each.members)), asked.text(N_("yes") if each.active else N_("no"))),
            )
            for each in page.items
        ]
        return Listing((N_("Name"), N_("Members"), N_("Active")), rows, page.next_cursor)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a group."""
        hint = N_("Empty: the time that the service is configured with. 0: never.")
        return (
            Input("name", N_("Name"), is_required=True, max_length=100),
            Input("close_after", N_("Close answered tickets after so many hours"), InputKind.NUMBER, hint=hint),
            Input("members", N_("Members"), InputKind.CHECKS, await staff_options(asked), are_names=True),
            *(() if is_new else (_ACTIVE,)),
        )

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a group. Members who were deactivated stay ticked; a change of the members has to untick them."""
        group = await admin_services(asked).groups.find(ticket_number(key), asked.principal)
        staff = await asked.services.staff.current()
        values = group.model_dump() | {"close_after": in_units(group.auto_close_after, _HOUR_S)}
        names = {each: staff.name_of(each) for each in group.members}
        return Stored(group.name, as_values(values), group.version, names=names)

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a group."""
        await admin_services(asked).groups.create(new_of(GroupCreate, _body(values)), asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a group."""
        body = _body(change.values) | {"active": change.values.flag("active")}
        patch = validated(GroupPatch, **members_of(body, change.names, _MEMBERS))
        await admin_services(asked).groups.change(ticket_number(key), patch, asked.principal, expected=change.expected)


def _body(values: Values) -> dict[str, Any]:
    return {
        "name": values.text("name"),
        "members": values.get("members", []),
        "auto_close_after": values.number("close_after", _HOUR_S),
    }
