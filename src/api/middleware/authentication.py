"""The gate: nobody gets to a route without being known, and nobody can forget to ask."""

from collections.abc import Set
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.paths import METRICS, OPEN
from api.problems.handlers import error_response, handle_service_error
from core import metrics
from core.client_address import is_loopback
from core.errors import Forbidden, HostNotAllowed, RateLimited, ServiceError, Unauthenticated
from models import Role
from services.access.authentication import Authenticator
from services.access.failed_authentications import FailedAuthentications

PRINCIPAL_KEY: Final = "principal"
"""The key of the scope under which the routes find the principal of a request."""

# Who may see the metrics, and who goes to all other places that are not open.
_ADMITTED_TO_METRICS: Final[Set[Role]] = {Role.AGENT, Role.MONITOR}
_ADMITTED_ELSEWHERE: Final[Set[Role]] = {Role.AGENT, Role.REQUESTER}
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class AuthenticationMiddleware:
    """Puts the principal into the scope of each request, and refuses those that have none.

    From an address that guessed too often only keys are heard for a while that let somebody in lately. Credentials that
    were good once are no guesses.

    While nothing is configured by which anybody could be let in, it lets in whoever is on this machine and knows it:
    a web page that was led here under another name (DNS rebinding) does not.
    """

    def __init__(self, app: ASGIApp, *, failures: FailedAuthentications) -> None:
        self._app = app
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._failures.is_blocked(address) and not _authenticator(scope).recently_accepted(_authorization(scope)):
            metrics.failed_authentications.inc()
            wait = {"Retry-After": str(self._failures.retry_after_s(address))}
            await error_response(Request(scope), RateLimited, wait)(scope, receive, send)
            return
        try:
            await self._admit(scope)
        except ServiceError as error:
            if isinstance(error, Unauthenticated) and error.is_guess:
                self._failures.record(address)
            if isinstance(error, Unauthenticated) and error.are_refused:
                metrics.failed_authentications.inc()
            await (await handle_service_error(Request(scope), error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        authenticator, sent = _authenticator(scope), _authorization(scope)
        if sent is None and await authenticator.is_unprotected():
            _require_loopback(scope)
        principal = scope[PRINCIPAL_KEY] = await authenticator.principal_of(sent)
        if principal.role not in (_ADMITTED_TO_METRICS if scope["path"] in METRICS else _ADMITTED_ELSEWHERE):
            raise Forbidden(f"not a place for a {principal.role}")


def _authenticator(scope: Scope) -> Authenticator:
    authenticator: Authenticator = scope["app"].state.authenticator
    return authenticator


def _authorization(scope: Scope) -> str | None:
    """Return the header; two of them are joined as a list is, which is good for nothing."""
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    return ", ".join(sent) if sent else None


def _require_loopback(scope: Scope) -> None:
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    # The client as well: a proxy on this machine (X-Forwarded-For) brings in whoever comes to it.
    ends = [(scope.get(end) or ("",))[0] for end in ("server", "client")]
    if name.lower() not in _LOOPBACK_NAMES or not all(map(is_loopback, ends)):
        raise HostNotAllowed("nothing is configured by which anybody could be let in from elsewhere")
