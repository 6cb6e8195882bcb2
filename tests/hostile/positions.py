"""Every position of a request that takes a value, read from the OpenAPI document."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from hostile.wire import Request
from services.access.api_key_format import Key
from support.factories import JSON, a_ticket

# Headers that uvicorn or the middleware reads, though no operation documents them.
READ_EVERYWHERE: Final = ("X-Request-Id", "Accept", "Content-Type", "Host", "Expect", "Cookie", "X-Forwarded-For")

# No scheme, the scheme in two spellings, the start of an API key, the start of a token, an unsupported scheme.
_CREDENTIAL_PREFIXES: Final = (b"", b"Bearer ", b"bEARER \t ", b"Bearer tk_", b"Bearer e30.", b"Basic ")

# An admin, so that requests reach every operation. The resources of the paths below exist.
ADMIN_KEY: Final = Key("hostile0", "0" * 43)
OTHER_KEY_ID: Final = "hostile1"
_EXISTING: Final = {
    "{person_id}": "person:1",
    "{group_id}": "1",
    "{principal_id}": "key:hostile",
    "{key_id}": OTHER_KEY_ID,
    "{key}": "device",
    "{calendar_id}": "1",
    "{webhook_id}": "1",
    "{delivery_id}": "1",
    "{replay_id}": "1",
    "{rule_id}": "1",
    "{run_id}": "1",
    "{view_id}": "1",
    "{reply_id}": "1",
    "{policy_id}": "1",
    "{tag}": "printer",
    "{email}": "carol@example.com",
    "{link_type}": "blocks",
    "{other_id}": "2",
    "{source}": "shop",
    "{external_id}": "A-1",
}
_CREDENTIALS: Final = (b"Authorization", f"Bearer {ADMIN_KEY}".encode())


def _valid(operation: str, field: str) -> object:
    """Return a value of a field of a body; names and addresses of people, groups and keys must be unique."""
    unique = secrets.token_hex(6)
    if field == "email" and operation.endswith("_person"):
        return f"{unique}@example.com"
    if operation == "create_field":
        return {"key": f"f{unique}", "label": "Device", "type": "text"}[field]
    if operation in {"create_rule", "change_rule", "try_rule"}:
        return _valid_of_rule(field, unique)
    if of_resource := _of_resource(operation.partition("_")[2], unique):
        return of_resource[field]
    values = {"name": unique, "role": "agent", "members": [], "active": True, "status": "answered"}
    values |= {"url": "https://hooks.example.com/", "zone": "UTC", "weekly": {"mon": [["09:00", "17:30"]]}}
    values |= {"auto_close_after": 3600, "calendar_id": 1, "match": {}, "position": 1}
    values |= dict.fromkeys(("first_response_s", "next_response_s", "resolution_s"), 3600)
    values |= {"dry_run": True, "after_ticket_id": 1}
    values |= {"into": 2, "from": "old", "to": "new", "assignee_id": None, "label": "Device"}
    return (a_ticket() | values)[field]


def _of_resource(resource: str, unique: str) -> JSON:
    """Return valid values of the fields of a resource; none of one whose fields have the values of the others."""
    of_resources: dict[str, JSON] = {
        "view": {"name": unique, "query": "status=open", "shared": False, "position": 1},
        "canned_reply": {"title": "Greeting", "shortcut": unique, "text": "Hello {{me.name}}", "group_id": None},
        "bulk_change": {"ids": [1], "query": None, "after_ticket_id": 0, "action": {"add_tags": ["x"]}},
        "replay": {"from": "2026-01-01T00:00:00Z"},
        "reminder": {"remind_at": "2035-03-02T09:00:00Z", "note": "Ask again", "snooze": True},
    }
    return of_resources.get(resource, {})


def _valid_of_rule(field: str, name: str) -> object:
    """Return a value of a field of a rule, whose name must be unique."""
    rule: JSON = {"name": name, "events": ["ticket.created"], "actions": {"add_tags": ["x"]}}
    others = {"rule": rule, "active": False, "position": 1, "match": {}, "tickets": 1}
    return (rule | others)[field]


# Operations on a ticket in another state than open: 3 is merged into 4, 5 is closed, 6 is open and has a reminder.
_TICKETS: Final = {"undo_merge": 3, "open_follow_up": 5, "merge_ticket": 6, "delete_reminder": 6}
# Required together, though the schema cannot express it.
_MORE_REQUIRED: Final = {
    "try_bulk_change": ["ids"],
    "start_bulk_change": ["ids"],
    "create_key": ["name", "role"],
    "create_sla_policy": ["first_response_s"],
}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the document: the names of its parameters by position, and the fields of its body."""

    id: str
    method: bytes
    path: str
    parameters: dict[str, list[str]]
    fields: dict[str, JSON]
    required: list[str]
    needs_credentials: bool

    def target(self, ticket_id: int | str = 1) -> bytes:
        """Return the path, with the id of a ticket if it has that parameter, and of other resources that exist."""
        path = self.path.replace("{ticket_id}", str(_TICKETS.get(self.id, ticket_id)))
        if self.id.startswith("delete_"):
            for name in ("{webhook_id}", "{rule_id}", "{view_id}", "{reply_id}"):
                path = path.replace(name, "2")
        for name, value in _EXISTING.items():
            path = path.replace(name, value)
        return path.encode()

    def body(self, field: str | None = None, literal: bytes = b"null") -> bytes:
        """Return a valid body, except that one field is a JSON literal."""
        required = [*self.required, *_MORE_REQUIRED.get(self.id, ())]
        names = dict.fromkeys([*required, *([field] if field else list(self.fields)[:1])])
        members = [
            b'"%s": %s' % (name.encode(), literal if name == field else json.dumps(_valid(self.id, name)).encode())
            for name in names
        ]
        return b"{%s}" % b", ".join(members)

    def request(self, **parts: Any) -> Request:
        """Return a valid request, except for the given parts."""
        valid = {"method": self.method, "target": self.target(), "body": self.body() if self.fields else None}
        request = Request(**(valid | parts))
        if not any(name == _CREDENTIALS[0] for name, _ in request.headers):
            request.headers = [_CREDENTIALS, *request.headers]
        return request


def operations(document: JSON) -> list[Operation]:
    """Return every operation of the document."""
    return list(_operations(document))


def in_bodies(document: JSON, literal: bytes, *, but_zeros: bool = False) -> Iterator[Request]:
    """Put a JSON literal into every field of every body, and into an unknown field.

    With `but_zeros`, the fields that take 0 are left out.
    """
    for operation in operations(document):
        for field, schema in operation.fields.items():
            if but_zeros and any(part.get("minimum") == 0 for part in (schema, *schema.get("anyOf", ()))):
                continue
            yield operation.request(body=operation.body(field, literal))
        if operation.fields:
            yield operation.request(body=b'{"no-such-field": %s}' % literal)


def in_queries(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, unchanged, into every query parameter, and into an unknown one.

    A list is requested with one row per page, so that the response has a Link header, which contains the query.
    """
    for operation in operations(document):
        names = operation.parameters.get("query", [])
        for name in [*names, "no-such-parameter"]:
            page = b"&limit=1" if "limit" in names and name != "limit" else b""
            yield operation.request(target=operation.target() + b"?%s=%s" % (quote(name).encode(), value) + page)


def in_paths(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, unchanged, into every path parameter, and at the end of every path."""
    for operation in operations(document):
        for name in operation.parameters.get("path", []):
            mark = "value-of-the-parameter"
            before, _, after = (
                replace(operation, path=operation.path.replace(f"{{{name}}}", mark)).target().partition(mark.encode())
            )
            yield operation.request(target=before + value + after)
        yield operation.request(target=operation.target() + b"/" + value)


def in_headers(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, unchanged, into every documented header, and into the headers that are always read."""
    for operation in operations(document):
        for name in operation.parameters.get("header", []):
            yield operation.request(headers=[(name.encode(), value)])
    for name in READ_EVERYWHERE:
        for method, target in ((b"GET", b"/tickets"), (b"GET", b"/no-such-path"), (b"PUT", b"/tickets")):
            yield Request(method, target, [(name.encode(), value)])


def in_credentials(document: JSON, value: bytes) -> Iterator[Request]:
    """Put bytes, unchanged, into the Authorization header of every operation that requires credentials.

    The document has it as a security scheme, not as a parameter.
    """
    for operation in operations(document):
        for prefix in _CREDENTIAL_PREFIXES if operation.needs_credentials else ():
            yield operation.request(headers=[(b"Authorization", prefix + value)])


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
