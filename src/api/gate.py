"""The gate: nobody gets to a route without being known, and nobody can forget to ask."""

from collections.abc import Mapping, Set
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.places import ABOUT, METRICS, PAGES, PROBES, is_below
from api.principal import SCOPE_KEY
from api.problems import refused, told_as
from core import metrics
from core.errors import Forbidden, HostNotAllowed, RateLimited, ServiceError, Unauthenticated
from models import Role
from services.authentication import Authenticator
from services.failed_authentications import FailedAuthentications
from services.principal import Principal

# What anybody may see: the probes, and what the service says of itself.
_OPEN: Final = (*PROBES, *PAGES, *ABOUT)
# Who may go to some places, and who to all the others.
_ADMITTED: Final[Mapping[str, Set[Role]]] = {METRICS: {Role.AGENT, Role.MONITOR}}
_ADMITTED_ELSEWHERE: Final[Set[Role]] = {Role.AGENT, Role.REQUESTER}
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gate:
    """Puts the principal into the scope of each request, and refuses those that have none.

    From an address that failed too often only keys are heard for a while that let somebody in lately: so nobody can
    shut out those who share their address.

    While nothing is configured by which anybody could be let in, it lets in whoever is on this machine and knows it:
    a web page that was led here under another name (DNS rebinding) does not.
    """

    def __init__(self, app: ASGIApp, *, failures: FailedAuthentications) -> None:
        self._app = app
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or is_below(scope["path"], _OPEN):
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._failures.is_blocked(address) and not _authenticator(scope).knows(_authorization(scope)):
            wait = {"Retry-After": str(self._failures.retry_after_s(address))}
            await told_as(Request(scope), RateLimited, wait)(scope, receive, send)
            return
        try:
            scope[SCOPE_KEY] = await self._admitted(scope)
        except ServiceError as error:
            if isinstance(error, Unauthenticated) and error.are_refused:
                self._failures.failed(address)
                metrics.failed_authentications.inc()
            await (await refused(Request(scope), error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope) -> Principal:
        authenticator, sent = _authenticator(scope), _authorization(scope)
        if sent is None and await authenticator.is_unprotected():
            _require_loopback(scope)
        principal = await authenticator.principal_of(sent)
        if principal.role not in _ADMITTED.get(scope["path"], _ADMITTED_ELSEWHERE):
            raise Forbidden(f"not a place for a {principal.role}")
        return principal


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
    if name.lower() not in _LOOPBACK_NAMES or not _is_loopback((scope.get("server") or ("",))[0]):
        raise HostNotAllowed("nothing is configured by which anybody could be let in from elsewhere")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address in _LOOPBACK_NAMES
