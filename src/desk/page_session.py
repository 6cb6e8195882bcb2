"""The session of a request for a page."""

from typing import Final

from starlette.types import Scope

from api.middleware.authentication import anonymous_principal
from core.errors import Unauthenticated
from desk.session_cookie import SESSION, read_cookie
from services.access.principal import Principal
from services.sign_in.services import SignInServices
from services.sign_in.sessions import LiveSession

SESSION_KEY: Final = "live_session"
"""The key of the ASGI scope that holds the session of a request, if it has one."""


async def session_of(scope: Scope) -> LiveSession | None:
    """Return the live session that the cookie of a request names; None without one.

    Raises Overloaded, DatabaseUnavailable, DeadlineExceeded.
    """
    app = scope["app"]
    token = read_cookie(scope, SESSION, app.state.desk.public_url)
    services: SignInServices = app.state.sign_in
    return None if token is None else await services.session_cache.find(token)


async def page_principal(scope: Scope) -> Principal:
    """Return the principal of a request for a page: that of its session, or else of a request without credentials.

    Raises Unauthenticated, HostNotAllowed, Overloaded, DatabaseUnavailable, DeadlineExceeded.
    """
    session = await session_of(scope)
    return await anonymous_principal(scope) if session is None else session.principal


def required_session(scope: Scope) -> LiveSession:
    """Return the session of a request that was authenticated. Raises Unauthenticated without one."""
    session: LiveSession | None = scope.get(SESSION_KEY)
    if session is None:
        raise Unauthenticated("the page requires a session", are_refused=False)
    return session
