"""The cookies of the sign-in: that of the session, and that of a sign-in at the issuer under way.

They are sent over https only, by a name that no other host can set (`__Host-`); or over http to a name of this machine.
Their values are random, and mean nothing without the database.
"""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from api.middleware.authentication import host_of, is_loopback_name
from services.sign_in.session_statements import LASTS

SESSION: Final = "session"
STATE: Final = "sign-in"
STATE_LASTS_S: Final = 600
_HTTPS: Final = "https"
_PREFIX: Final = "__Host-"
_NAMES: Final[Mapping[bool, Mapping[str, str]]] = {
    True: {name: f"{_PREFIX}{name}" for name in (SESSION, STATE)},
    False: {name: name for name in (SESSION, STATE)},
}


def is_https(scope: Scope, public_url: str | None) -> bool:
    """Return whether the browser sent a request over https, perhaps to a proxy that PUBLIC_URL names."""
    if scope["scheme"] == _HTTPS:
        return True
    return (public_url or "").startswith(f"{_HTTPS}:") and not is_loopback_name(host_of(scope))


def may_have_session(scope: Scope, public_url: str | None) -> bool:
    """Return whether a session may be begun: never over http to another machine, where others can read it."""
    return is_https(scope, public_url) or is_loopback_name(host_of(scope))


def read_cookie(scope: Scope, name: str, public_url: str | None) -> str | None:
    """Return the value of a cookie, by the name that it has on this connection; None without it."""
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    return cookies.get(_NAMES[is_https(scope, public_url)][name])


def set_cookie(response: Response, name: str, value: str, scope: Scope, public_url: str | None) -> None:
    """Let the browser keep a cookie: the session for 90 days, and the state for ten minutes."""
    is_secure = is_https(scope, public_url)
    response.set_cookie(
        _NAMES[is_secure][name],
        value,
        max_age=int(LASTS.total_seconds()) if name == SESSION else STATE_LASTS_S,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, name: str, scope: Scope, public_url: str | None) -> None:
    """Let the browser forget a cookie."""
    is_secure = is_https(scope, public_url)
    response.delete_cookie(_NAMES[is_secure][name], path="/", secure=is_secure, httponly=True, samesite="lax")
