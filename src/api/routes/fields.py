"""The definitions of custom fields."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status
from pydantic import BeforeValidator

from api.dependencies import AllFields, Caller
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, location_of
from api.openapi import directory_responses as docs
from api.openapi.request_bodies import PATCHES_FIELD, FieldChange, NewField
from api.openapi.responses import READS, WRITES, responses
from core.errors import AlreadyExists, FieldNotFound, InvalidReference, TooManyFields, VersionMismatch
from schemas.custom_fields import CustomField, CustomFieldList
from schemas.custom_values import KEY_PATTERN
from schemas.fields import plain_truth

router = APIRouter(prefix="/fields", tags=["fields"], route_class=CheckedRoute)

_Key = Annotated[str, Path(pattern=KEY_PATTERN, description="The key of the field.", examples=["device"])]
_Archived = Annotated[
    bool | None,
    BeforeValidator(plain_truth),
    Query(description="Only fields that are archived, or only those that are not.", examples=[False]),
]


@router.get("", responses=responses(READS, docs.FIELDS))
async def list_fields(fields: AllFields, principal: Caller, archived: _Archived = None) -> CustomFieldList:
    """List the custom fields.

    Returns the fields in the order of their keys. Requesters get those that they see and set.
    """
    return await fields.all(principal, archived=archived)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.FIELD_CREATED, AlreadyExists, TooManyFields),
)
async def create_field(new: NewField, fields: AllFields, principal: Caller, response: Response) -> CustomField:
    """Create a custom field.

    Tickets then take a value for it in `custom`. At most 100 fields exist that are not archived.
    """
    field = await fields.create(new, principal)
    response.headers.update(etag_of(field.version) | location_of("/fields", field.key))
    return field


@router.get("/{key}", responses=responses(READS, docs.FIELD, FieldNotFound))
async def get_field(key: _Key, fields: AllFields, principal: Caller, response: Response) -> CustomField:
    """Get a custom field.

    Returns the definition of the field, which may be archived.
    """
    field = await fields.find(key, principal)
    response.headers.update(etag_of(field.version))
    return field


@router.patch(
    "/{key}",
    responses=responses(WRITES, docs.FIELD_CHANGED, FieldNotFound, TooManyFields, VersionMismatch, InvalidReference),
    openapi_extra=PATCHES_FIELD,
)
async def change_field(
    key: _Key,
    patch: FieldChange,
    expected: ExpectedVersions,
    fields: AllFields,
    principal: Caller,
    response: Response,
) -> CustomField:
    """Change a custom field.

    The body is a merge patch (RFC 7396). Key and type never change. A field is never deleted: `archived: true` lets it
    take no more values, and stored values stay readable. A change takes effect in all processes within 2 s; what
    requesters see changes before the response is sent.
    """
    field = await fields.change(key, patch, principal, expected=expected)
    response.headers.update(etag_of(field.version))
    return field
