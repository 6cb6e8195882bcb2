"""Authenticates every request before it reaches a route, so that no route can omit it.

Paths are public only if `api.paths.PUBLIC` contains them. `desk` authenticates those of `api.paths.PAGES`.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.paths import PAGES, PUBLIC, roles_for
from api.problems.handlers import error_response, handle_service_error
from core import metrics
from core.client_address import is_loopback
from core.errors import Forbidden, HostNotAllowed, RateLimited, ServiceError, Unauthenticated
from services.access.authentication import Authenticator
from services.access.failed_authentications import FailedAuthentications
from services.access.principal import Principal

PRINCIPAL_KEY: Final = "principal"
"""The key of the ASGI scope that holds the principal of a request."""

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class AuthenticationMiddleware:
    """Puts the principal of each request into the scope, and refuses requests without a valid one (401, 403).

    After too many failed authentications from an IP address, only recently accepted keys are accepted from it for a
    while; other requests are refused (429). Credentials that were valid once do not count as failures.

    A service without API keys, issuer and ALLOW_ANONYMOUS, whose set-up is open, is unprotected. It accepts anonymous
    requests from this machine only, and only to a loopback name. The latter stops DNS rebinding: a web page that makes
    the browser send requests to the service under the name of another site.
    """

    def __init__(self, app: ASGIApp, *, failures: FailedAuthentications) -> None:
        self._app = app
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or scope["path"] in PUBLIC or scope["path"] in PAGES:
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._failures.is_blocked(address) and not _authenticator(scope).recently_accepted(_authorization(scope)):
            metrics.failed_authentications.inc()
            retry = {"Retry-After": str(self._failures.retry_after_s(address))}
            await error_response(Request(scope), RateLimited, retry)(scope, receive, send)
            return
        try:
            await self._authenticate(scope)
        except ServiceError as error:
            if isinstance(error, Unauthenticated) and error.is_guess:
                self._failures.record(address)
            if isinstance(error, Unauthenticated) and error.are_refused:
                metrics.failed_authentications.inc()
            await (await handle_service_error(Request(scope), error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> None:
        authorization = _authorization(scope)
        if authorization is None:
            set_principal(scope, await anonymous_principal(scope))
        else:
            set_principal(scope, await _authenticator(scope).principal_of(authorization))


async def anonymous_principal(scope: Scope) -> Principal:
    """Return the principal of a request without credentials.

    Raises Unauthenticated, HostNotAllowed, DatabaseUnavailable, DeadlineExceeded.
    """
    authenticator = _authenticator(scope)
    if await authenticator.is_unprotected():
        _require_loopback(scope)
    return await authenticator.principal_of(None)


def set_principal(scope: Scope, principal: Principal) -> None:
    """Put the principal of a request into its scope. Raises Forbidden unless its role has access to the path."""
    scope[PRINCIPAL_KEY] = principal
    if principal.role not in roles_for(scope["path"], scope["method"]):
        raise Forbidden(f"the role {principal.role} has no access to this path")


def host_of(scope: Scope) -> str:
    """Return the header Host, with the port if it names one; empty without the header."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def is_loopback_name(host: str) -> bool:
    """Return whether a Host is a name of this machine: then no page of another site has sent the request."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in _LOOPBACK_NAMES


def _authenticator(scope: Scope) -> Authenticator:
    authenticator: Authenticator = scope["app"].state.authenticator
    return authenticator


def _authorization(scope: Scope) -> str | None:
    """Return the Authorization header. Several are joined to a list, which is never valid."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    return ", ".join(values) if values else None


def _require_loopback(scope: Scope) -> None:
    # The client address as well: a proxy on this machine forwards requests of others (X-Forwarded-For).
    ends = [(scope.get(end) or ("",))[0] for end in ("server", "client")]
    if not is_loopback_name(host_of(scope)) or not all(map(is_loopback, ends)):
        raise HostNotAllowed("without API keys and an issuer, the service is available on this machine only")
