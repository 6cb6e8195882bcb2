"""The examples of people, groups, principals and API keys. Each request succeeds unchanged."""

from typing import Any, Final

from pydantic import BaseModel

from schemas.groups import Group
from schemas.keys import ApiKey, ApiKeyCreated
from schemas.people import Person
from schemas.principals import Me, PrincipalDetails

NEW_PERSON: Final = {
    "agent": {
        "summary": "An agent",
        "value": {"name": "Alice Liddell", "email": "alice@example.com", "role": "agent", "zone": "Europe/Berlin"},
    },
}
PERSON_PATCH: Final = {
    "deactivate": {"summary": "Deactivate the person", "value": {"active": False}},
    "edit": {"summary": "Change name and language", "value": {"name": "Alice Hargreaves", "language": "en-GB"}},
    "promote": {"summary": "Make the person an admin", "value": {"role": "admin"}},
}
NEW_FIELD: Final = {
    "select": {
        "summary": "A field with options that requesters see",
        "value": {
            "key": "device",
            "label": "Device",
            "type": "select",
            "options": ["printer", "scanner"],
            "visible_to_requester": True,
        },
    }
}
FIELD_PATCH: Final = {
    "label": {"summary": "Rename it for people", "value": {"label": "Kind of device"}},
    "visible": {"summary": "Show it to requesters", "value": {"label": "Kind of device", "visible_to_requester": True}},
}
HAND_OVER: Final = {"release": {"summary": "Leave the tickets without an assignee", "value": {"assignee_id": None}}}
NEW_GROUP: Final = {"group": {"summary": "A group", "value": {"name": "Network", "members": []}}}
GROUP_PATCH: Final = {
    "rename": {"summary": "Rename the group", "value": {"name": "Networks"}},
    "empty": {"summary": "Remove all members", "value": {"members": []}},
    "no-automatic-close": {"summary": "Close no ticket of the group by itself", "value": {"auto_close_after": 0}},
}
NEW_KEY: Final = {
    "service-account": {
        "summary": "A key of a program, which may read and comment",
        "value": {"name": "crm", "role": "agent", "scopes": ["read", "comment"]},
    },
}


def example_of(model: type[BaseModel], **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of JSON
    """Return the first example of each member, except for others."""
    return {name: (field.examples or [None])[0] for name, field in model.model_fields.items()} | others


_GROUP_NAME: Final = {"id": 1, "name": "Network"}
_PERSON: Final = example_of(Person, deactivated_at=None)
_GROUP: Final = example_of(Group)
_KEY: Final = example_of(ApiKey, email=None, revoked_at=None, last_used_at=None, expires_at=None)
_PRINCIPAL: Final = example_of(PrincipalDetails)

_FIELD: Final = {
    "key": "device",
    "label": "Device",
    "type": "select",
    "options": ["printer", "scanner"],
    "required": "never",
    "visible_to_requester": True,
    "archived": False,
    "version": 1,
    "created_at": "2026-03-02T12:31:07.120345Z",
    "updated_at": "2026-03-02T12:31:07.120345Z",
}
RESPONSES: Final[dict[str, Any]] = {
    "me": example_of(Me, scopes=None, groups=[_GROUP_NAME]),
    "principal": _PRINCIPAL,
    "name-of-principal": {name: _PRINCIPAL[name] for name in ("id", "kind", "name")},
    "person": _PERSON,
    "deactivated-person": _PERSON
    | {
        "active": False,
        "version": 2,
        "updated_at": "2026-03-02T13:02:15.002731Z",
        "deactivated_at": "2026-03-02T13:02:15.002731Z",
    },
    "people": {"items": [_PERSON], "next_cursor": None},
    "field": _FIELD,
    "fields": {"items": [_FIELD]},
    "handed-over": {"handed_over": 12, "is_complete": True},
    "group": _GROUP,
    "groups": {"items": [_GROUP], "next_cursor": None},
    "key": _KEY,
    "created-key": _KEY | {"secret": example_of(ApiKeyCreated)["secret"]},
    "revoked-key": _KEY | {"revoked_at": "2026-04-02T09:00:00Z"},
    "keys": {"items": [_KEY], "next_cursor": None},
}
