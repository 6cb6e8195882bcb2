"""The people of the service."""

from fastapi import APIRouter, Request, Response, status

from api.dependencies import AllHandOvers, AllPeople, Caller, PeopleFilter, PersonId
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, link_to_next, location_of
from api.openapi import directory_responses as docs
from api.openapi.request_bodies import PATCHES_PERSON, NewAssignee, NewPerson, PersonChange
from api.openapi.responses import READS, WRITES, responses
from core.errors import (
    AlreadyExists,
    InvalidCursor,
    InvalidReference,
    LastAdmin,
    PrincipalNotFound,
    VersionMismatch,
)
from schemas.hand_over import HandedOver
from schemas.people import Person, PersonPage

router = APIRouter(prefix="/people", tags=["people"], route_class=CheckedRoute)


@router.get("", responses=responses(READS, docs.PEOPLE, InvalidCursor))
async def list_people(
    query: PeopleFilter, people: AllPeople, principal: Caller, request: Request, response: Response
) -> PersonPage:
    """List people.

    Returns the people that match all filters, in the order of their creation, deactivated ones included.
    """
    page = await people.page(query, principal)
    response.headers.update(link_to_next(request.scope, page.next_cursor))
    return page


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(WRITES, docs.PERSON_CREATED, AlreadyExists))
async def create_person(new: NewPerson, people: AllPeople, principal: Caller, response: Response) -> Person:
    """Create a person.

    The first token with this email address, verified by its issuer, belongs to this person. An API key that acts as the
    person is created with `POST /keys`.
    """
    person = await people.create(new, principal)
    response.headers.update(etag_of(person.version) | location_of("/people", person.id))
    return person


@router.get("/{person_id}", responses=responses(READS, docs.PERSON, PrincipalNotFound))
async def get_person(person_id: PersonId, people: AllPeople, principal: Caller, response: Response) -> Person:
    """Get a person.

    Returns the person, who may be deactivated.
    """
    person = await people.find(person_id, principal)
    response.headers.update(etag_of(person.version))
    return person


@router.patch(
    "/{person_id}",
    responses=responses(
        WRITES, docs.PERSON_CHANGED, PrincipalNotFound, AlreadyExists, LastAdmin, VersionMismatch, InvalidReference
    ),
    openapi_extra=PATCHES_PERSON,
)
async def change_person(
    person_id: PersonId,
    patch: PersonChange,
    expected: ExpectedVersions,
    people: AllPeople,
    principal: Caller,
    response: Response,
) -> Person:
    """Change a person.

    The body is a merge patch (RFC 7396). A person is never deleted, because the history names them: `active: false`
    deactivates them, and their keys and tokens are refused within 10 s. The last active admin can be neither
    deactivated nor given another role.
    """
    person = await people.change(person_id, patch, principal, expected=expected)
    response.headers.update(etag_of(person.version))
    return person


@router.post(
    "/{person_id}/hand-over", responses=responses(WRITES, docs.HANDED_OVER, PrincipalNotFound, InvalidReference)
)
async def hand_over(person_id: PersonId, to: NewAssignee, hand_overs: AllHandOvers, principal: Caller) -> HandedOver:
    """Hand the tickets of a person over.

    Gives all tickets of the person that are not closed to another principal or to nobody, each as one change. To repeat
    the request is safe; if `is_complete` is false, repeat it for the others.
    """
    return await hand_overs.hand_over(person_id, to, principal)
