"""A request for a page: its viewer, the services that it may call, and the responses that it can have."""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Annotated, Any, cast
from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.datastructures import State
from starlette.responses import RedirectResponse

from desk.forms import Form, form_of
from desk.pages import Frame, Pages, frame_of, root_of
from desk.times import Clock
from desk.viewer import Viewer, viewer_of
from services.access.principal import Principal
from services.bulk.bulk_changes import BulkChanges
from services.canned.replies import CannedReplies
from services.directory.staff import StaffDirectory
from services.drafts.drafts import Drafts
from services.fields.service import FieldService
from services.links.follow_ups import FollowUps
from services.links.links import TicketLinks
from services.links.merges import Merges
from services.numbers.happened import NumbersOfThePast
from services.numbers.now import NumbersOfNow
from services.presence.presences import Presences
from services.tickets.assignment import Assignment
from services.tickets.lists import TicketLists
from services.tickets.participants import TicketParticipants
from services.tickets.service import TicketService
from services.tickets.tags import TicketTags
from services.views.views import Views


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the application, as `main` has built them."""

    tickets: TicketService
    lists: TicketLists
    assignment: Assignment
    tags: TicketTags
    participants: TicketParticipants
    links: TicketLinks
    merges: Merges
    follow_ups: FollowUps
    fields: FieldService
    staff: StaffDirectory
    drafts: Drafts
    presences: Presences
    views: Views
    canned_replies: CannedReplies
    bulk_changes: BulkChanges
    numbers_of_now: NumbersOfNow
    numbers_of_the_past: NumbersOfThePast


class DeskRequest:
    """One request. `services` are called with `principal`, in this process."""

    def __init__(self, request: Request, viewer: Viewer, began_at: float) -> None:
        self.request = request
        self.viewer = viewer
        self.began_at = began_at

    @property
    def principal(self) -> Principal:
        """The principal of the viewer."""
        return self.viewer.principal

    @property
    def services(self) -> Services:
        """The services."""
        return services_of(self.request.app.state)

    @property
    def root(self) -> str:
        """The relative URL of the root of the service."""
        return root_of(self.request)

    @property
    def frame(self) -> Frame:
        """What the layout of the page needs."""
        return frame_of(self.request, self.viewer.language, self.viewer, self.began_at)

    @property
    def clock(self) -> Clock:
        """Shows times as the viewer reads them."""
        return Clock(self.viewer.language, self.viewer.zone, datetime.now(UTC))

    @property
    def undo_send_s(self) -> int:
        """For how many seconds a comment can be called back after it was sent; 0 if not at all."""
        undo_send_s: int = self.request.app.state.desk.undo_send_s
        return undo_send_s

    def text(self, text: str) -> str:
        """Return a text in the language of the viewer."""
        return self.viewer.language.gettext(text)

    async def form(self) -> Form:
        """Return the fields of the form that was sent. Raises RequestValidationError."""
        return await form_of(self.request)

    def page(self, template: str, context: dict[str, Any], status: int = 200) -> Response:
        """Return a page, or a part of one."""
        pages: Pages = self.request.app.state.desk.pages
        return pages.response(template, self.frame, context, status)

    def redirect(self, path: str) -> Response:
        """Send the browser to another page after a form was processed; `path` begins below the root."""
        return RedirectResponse(self.root + quote(path, safe="/?=&#%+"), 303)


def services_of(state: State) -> Services:
    """Return the services that `main` has put into the state of the application."""
    known = cast("Services | None", getattr(state, "desk_services", None))
    if known is None:
        known = state.desk_services = Services(
            state.tickets,
            state.lists,
            state.assignment,
            state.ticket_tags,
            state.participants,
            state.links,
            state.merges,
            state.follow_ups,
            state.fields,
            state.staff,
            state.drafts,
            state.presences,
            state.views,
            state.canned_replies,
            state.bulk_changes,
            state.numbers_of_now,
            state.numbers_of_the_past,
        )
    return known


async def desk_request(request: Request) -> DeskRequest:
    """Return what an endpoint gets. Raises DatabaseUnavailable, DeadlineExceeded."""
    began_at = perf_counter()
    return DeskRequest(request, await viewer_of(request), began_at)


Asked = Annotated[DeskRequest, Depends(desk_request)]
