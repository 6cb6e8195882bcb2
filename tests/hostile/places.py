"""Every place where something can be put into a request, read from the OpenAPI document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from hostile.wire import Request
from support.factories import JSON, a_ticket

# What the service or the server before it reads, though no operation names it as a parameter of its own.
READ_EVERYWHERE: Final = ("X-Request-Id", "Accept", "Content-Type", "Host", "Expect", "Cookie", "X-Forwarded-For")

# Nothing, a scheme however it is written, the beginning of a key, that of a token, a scheme that is not ours.
_BEFORE_CREDENTIALS: Final = (b"", b"Bearer ", b"bEARER \t ", b"Bearer tk_", b"Bearer e30.", b"Basic ")

_VALID: Final[JSON] = a_ticket(status="answered")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the document, resolved: its parameters' names by where they are, and its body's fields."""

    id: str
    method: bytes
    path: str
    parameters: dict[str, list[str]]
    fields: dict[str, JSON]
    required: list[str]
    asks_for_credentials: bool

    def target(self, ticket_id: int | str = 1) -> bytes:
        """Return its path, to one ticket if it is to one."""
        return self.path.replace("{ticket_id}", str(ticket_id)).encode()

    def body(self, field: str | None = None, literal: bytes = b"null") -> bytes:
        """Return a body that is valid, but for one field in which there is a literal of one's choice."""
        names = dict.fromkeys([*self.required, *([field] if field else list(self.fields)[:1])])
        members = [
            b'"%s": %s' % (name.encode(), literal if name == field else b'"%s"' % _VALID[name].encode())
            for name in names
        ]
        return b"{%s}" % b", ".join(members)

    def request(self, **parts: Any) -> Request:
        """Return a valid request, but for the parts that are given."""
        valid = {"method": self.method, "target": self.target(), "body": self.body() if self.fields else None}
        return Request(**(valid | parts))


def operations(document: JSON) -> list[Operation]:
    """Return every operation of the document."""
    return list(_operations(document))


def in_bodies(document: JSON, literal: bytes) -> Iterator[Request]:
    """Put a JSON literal into every field of every body, and under a name that no body has."""
    for operation in operations(document):
        for field in operation.fields:
            yield operation.request(body=operation.body(field, literal))
        if operation.fields:
            yield operation.request(body=b'{"no-such-field": %s}' % literal)


def in_queries(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, as they are, into every parameter of every query, and into one that there is not.

    A list is asked for one row a page, so that there is a next one, to which the query is passed on in a header.
    """
    for operation in operations(document):
        names = operation.parameters.get("query", [])
        for name in [*names, "no-such-parameter"]:
            page = b"&limit=1" if "limit" in names and name != "limit" else b""
            yield operation.request(target=operation.target() + b"?%s=%s" % (quote(name).encode(), value) + page)


def in_paths(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, as they are, into every parameter of every path, and at the end of every path."""
    for operation in operations(document):
        for name in operation.parameters.get("path", []):
            before, _, after = operation.path.partition(f"{{{name}}}")
            yield operation.request(target=before.encode() + value + after.encode())
        yield operation.request(target=operation.target() + b"/" + value)


def in_headers(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, as they are, into every header that the document names, and into those that are read everywhere."""
    for operation in operations(document):
        for name in operation.parameters.get("header", []):
            yield operation.request(headers=[(name.encode(), value)])
    for name in READ_EVERYWHERE:
        for method, target in ((b"GET", b"/tickets"), (b"GET", b"/no-such-path"), (b"PUT", b"/tickets")):
            yield Request(method, target, [(name.encode(), value)])


def in_credentials(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, as they are, into the Authorization header of every operation that asks for credentials.

    It is a security scheme in the document, and so among no operation's parameters.
    """
    for operation in operations(document):
        for before in _BEFORE_CREDENTIALS if operation.asks_for_credentials else ():
            yield operation.request(headers=[(b"Authorization", before + value)])


def _operations(document: JSON) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names: dict[str, list[str]] = {}
            for parameter in operation.get("parameters", []):
                resolved = _resolved(document, parameter)
                names.setdefault(resolved["in"], []).append(resolved["name"])
            content = operation.get("requestBody", {}).get("content", {})
            schema = _resolved(document, next(iter(content.values()))["schema"]) if content else {}
            yield Operation(
                operation["operationId"],
                method.upper().encode(),
                path,
                names,
                schema.get("properties", {}),
                schema.get("required", []),
                bool(operation.get("security")),
            )


def _resolved(document: JSON, part: JSON) -> JSON:
    while "$ref" in part:
        resolved: JSON = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            resolved = resolved[step]
        part = resolved
    return part
