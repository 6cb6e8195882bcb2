"""Every request has an id, its sender's if well formed, which is in its answer, in its problem and in the logs."""

from typing import Final

from starlette.requests import HTTPConnection

REQUEST_ID_HEADER: Final = "X-Request-Id"
SCOPE_KEY: Final = "request_id"


def request_id(connection: HTTPConnection) -> str:
    """Return the id of a request."""
    return str(connection.scope[SCOPE_KEY])
