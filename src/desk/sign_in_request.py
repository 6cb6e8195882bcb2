"""A request for a page of the sign-in: the browser, its session, and the responses that it can have."""

from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.responses import RedirectResponse

from api.middleware.authentication import host_of
from desk.forms import Form, form_of
from desk.languages import Language
from desk.pages import Pages, frame_of, root_of
from desk.session_cookie import SESSION, clear_cookie, is_https, may_have_session, read_cookie, set_cookie
from desk.viewer import Viewer
from services.sign_in.services import SignInServices
from services.sign_in.sessions import Browser


class SignInRequest:
    """One request. `viewer` is None for a page that needs no sign-in."""

    def __init__(self, request: Request, viewer: Viewer | None = None) -> None:
        self.request = request
        self._viewer = viewer
        self._began_at = perf_counter()

    @property
    def services(self) -> SignInServices:
        """The services of the sign-in."""
        services: SignInServices = self.request.app.state.sign_in
        return services

    @property
    def language(self) -> Language:
        """The language of the viewer, or that of the browser."""
        if self._viewer is not None:
            return self._viewer.language
        chosen: Language = self.request.app.state.desk.languages.chosen(
            None, self.request.headers.get("accept-language", "")
        )
        return chosen

    @property
    def browser(self) -> Browser:
        """The client address, and the header User-Agent."""
        client = self.request.client
        return Browser("" if client is None else client.host, self.request.headers.get("user-agent", ""))

    @property
    def public_url(self) -> str | None:
        """PUBLIC_URL, if it is set."""
        public_url: str | None = self.request.app.state.desk.public_url
        return public_url

    @property
    def former_token(self) -> str | None:
        """The token of the cookie of the session that the browser has now; it may have ended."""
        return self.cookie(SESSION)

    @property
    def may_sign_in(self) -> bool:
        """Whether a session may be begun on this connection."""
        return may_have_session(self.request.scope, self.public_url)

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie; None without it."""
        return read_cookie(self.request.scope, name, self.public_url)

    def url(self, path: str) -> str:
        """Return the absolute URL of a path, which begins with a slash, as people reach it."""
        scope = self.request.scope
        scheme = "https" if is_https(scope, None) else "http"
        return (self.public_url or f"{scheme}://{host_of(scope)}") + path

    async def form(self) -> Form:
        """Return the fields of the form that was sent. Raises RequestValidationError."""
        return await form_of(self.request)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
        """Return a page."""
        pages: Pages = self.request.app.state.desk.pages
        frame = frame_of(self.request, self.language, self._viewer, self._began_at)
        return pages.response(template, frame, context, status)

    def redirect(self, path: str) -> Response:
        """Send the browser to another page; `path` begins with a slash."""
        return RedirectResponse(root_of(self.request) + quote(path[1:], safe="/?=&%"), 303)

    def with_cookie(self, response: Response, name: str, value: str) -> Response:
        """Let the browser keep a cookie."""
        set_cookie(response, name, value, self.request.scope, self.public_url)
        return response

    def without_cookie(self, response: Response, name: str) -> Response:
        """Let the browser forget a cookie."""
        clear_cookie(response, name, self.request.scope, self.public_url)
        return response


async def _sign_in_request(request: Request) -> SignInRequest:
    return SignInRequest(request)


Sent = Annotated[SignInRequest, Depends(_sign_in_request)]
