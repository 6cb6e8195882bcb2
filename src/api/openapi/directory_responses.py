"""The successes of the operations on people, groups, principals and API keys."""

from typing import Final

from api.openapi.responses import ResponseDoc

ME: Final = ResponseDoc(200, "The caller.", (), ("me",))
PRINCIPAL: Final = ResponseDoc(200, "The principal.", (), ("principal", "name-of-principal"))
PEOPLE: Final = ResponseDoc(200, "A page of people.", ("Link",), ("people",))
FIELDS: Final = ResponseDoc(200, "The custom fields.", (), ("fields",))
FIELD: Final = ResponseDoc(200, "The custom field.", ("ETag",), ("field",))
FIELD_CREATED: Final = ResponseDoc(201, "The created field.", ("Location", "ETag"), ("field",))
FIELD_CHANGED: Final = ResponseDoc(200, "The field after the change.", ("ETag",), ("field",))
HANDED_OVER: Final = ResponseDoc(200, "What was handed over.", (), ("handed-over",))
PERSON: Final = ResponseDoc(200, "The person.", ("ETag",), ("person",))
PERSON_CREATED: Final = ResponseDoc(201, "The created person.", ("Location", "ETag"), ("person",))
PERSON_CHANGED: Final = ResponseDoc(200, "The person after the change.", ("ETag",), ("deactivated-person",))
GROUPS: Final = ResponseDoc(200, "A page of groups.", ("Link",), ("groups",))
GROUP: Final = ResponseDoc(200, "The group.", ("ETag",), ("group",))
GROUP_CREATED: Final = ResponseDoc(201, "The created group.", ("Location", "ETag"), ("group",))
GROUP_CHANGED: Final = ResponseDoc(200, "The group after the change.", ("ETag",), ("group",))
KEYS: Final = ResponseDoc(200, "A page of API keys.", ("Link",), ("keys",))
KEY: Final = ResponseDoc(200, "The API key.", (), ("key",))
KEY_CREATED: Final = ResponseDoc(201, "The created API key with its secret.", ("Location",), ("created-key",))
KEY_REVOKED: Final = ResponseDoc(200, "The revoked API key.", (), ("revoked-key",))
