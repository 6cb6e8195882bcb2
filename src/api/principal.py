"""Who sent a request: put into its scope at the gate, read by whatever comes after."""

from typing import Final

from starlette.requests import HTTPConnection

from services.access.principal import Principal

SCOPE_KEY: Final = "principal"


def principal(connection: HTTPConnection) -> Principal:
    """Return who sent a request."""
    found: Principal = connection.scope[SCOPE_KEY]
    return found
