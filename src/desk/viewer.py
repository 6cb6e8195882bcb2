"""The person in front of a page: the principal, and how pages are shown to it."""

from dataclasses import dataclass
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request

from api.middleware.authentication import PRINCIPAL_KEY
from desk.languages import Language, Languages
from desk.page_session import page_principal
from desk.session_cookie import SESSION, read_cookie
from services.access.principal import ANONYMOUS, Principal
from services.directory.staff import StaffDirectory
from services.events.access_watch import Access

UTC: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The principal of a page, with its language and its zone. `email` is empty for one that has none."""

    principal: Principal
    language: Language
    zone: ZoneInfo
    name: str
    email: str

    @property
    def is_anonymous(self) -> bool:
        """Whether the page was opened without a sign-in."""
        return self.principal.id == ANONYMOUS.id


async def viewer_of(request: Request) -> Viewer:
    """Return the viewer of a request, from what the authentication has put into its scope.

    Raises DatabaseUnavailable, DeadlineExceeded.
    """
    principal: Principal = request.scope[PRINCIPAL_KEY]
    directory: StaffDirectory = request.app.state.staff
    languages: Languages = request.app.state.desk.languages
    member = (await directory.current()).members.get(principal.id)
    is_person = member is not None and member.is_person
    language = member.language if member is not None and is_person else None
    zone = member.zone if member is not None and is_person else UTC
    email = member.email if member is not None else principal.email
    return Viewer(
        principal,
        languages.chosen(language, request.headers.get("accept-language", "")),
        ZoneInfo(zone),
        principal.name if member is None else member.name,
        email or "",
    )


def access_of(request: Request) -> Access:
    """Return the session of a request, which its stream authenticates again from time to time."""
    token = read_cookie(request.scope, SESSION, request.app.state.desk.public_url)
    return Access(f"session {token}", partial(page_principal, request.scope))
