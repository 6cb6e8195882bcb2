"""Authenticates the requests for pages: by the session that the cookie names.

API keys and tokens open no page, and cookies open nothing else: so the API has no forms of other sites to fear.
"""

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.middleware.authentication import anonymous_principal, set_principal
from api.paths import DESK, DESK_ASSETS, PAGES, SIGN_IN_PAGES
from api.problems.handlers import handle_service_error
from core.errors import ServiceError, Unauthenticated
from desk.kept_forms import LargeBodies, read_form
from desk.local_paths import HOME
from desk.page_session import SESSION_KEY, session_of
from desk.pages import root_of
from desk.same_origin import SAFE_METHODS
from desk.sign_in_pages import sign_in_page
from desk.sign_in_request import SignInRequest


class PageAuthenticationMiddleware:
    """Puts the principal of each request for a page into the scope, and leads others to the sign-in.

    Without a session, a request has the principal that a request to the API has without credentials: while the service
    is unprotected, that of this machine. `timeout_s` limits the time for the form of a request without a session.
    """

    def __init__(self, app: ASGIApp, *, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._large_bodies = LargeBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or scope["path"] not in PAGES or scope["path"] in DESK_ASSETS:
            await self._app(scope, receive, send)
            return
        try:
            session = scope[SESSION_KEY] = await session_of(scope)
            if session is not None:
                set_principal(scope, session.principal)
            elif scope["path"] in SIGN_IN_PAGES:
                with self._large_bodies.slot(Headers(scope=scope)):
                    await self._app(scope, receive, send)
                return
            else:
                set_principal(scope, await anonymous_principal(scope))
        except Unauthenticated as error:
            await self._ask_to_sign_in(scope, receive, send, error)
            return
        except ServiceError as error:
            await (await handle_service_error(Request(scope), error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _ask_to_sign_in(self, scope: Scope, receive: Receive, send: Send, error: Unauthenticated) -> None:
        request = Request(scope)
        response: Response
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            # A script of the page sent the request, and keeps the typed text itself.
            response = await handle_service_error(request, error)
        elif scope["method"] in SAFE_METHODS:
            response = RedirectResponse(f"{root_of(request)}sign-in?next={quote(_target(scope))}", 303)
        else:
            try:
                with self._large_bodies.slot(request.headers):
                    kept = await self._kept_form(scope, receive)
                    next_path = scope["path"] if kept else HOME
                    response = await sign_in_page(SignInRequest(request), next_path=next_path, kept=kept, status=401)
            except ServiceError as refused:
                response = await handle_service_error(request, refused)
        await response(scope, receive, send)

    async def _kept_form(self, scope: Scope, receive: Receive) -> str:
        """Return the form of a request to the desk. Those of an account have passwords, and are not kept."""
        if scope["path"] not in DESK:
            return ""
        return await read_form(Headers(scope=scope), receive, timeout_s=self._timeout_s)


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])
