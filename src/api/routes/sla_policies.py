"""The policies of service levels."""

from fastapi import APIRouter, Response, status

from api.dependencies import AllPolicies, Caller, PolicyId, PolicyRecomputation
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, location_of
from api.openapi import sla_responses as docs
from api.openapi.request_bodies import PATCHES_POLICY, NewPolicy, PolicyChange, RecomputeRequest
from api.openapi.responses import READS, WRITES, responses
from core.errors import AlreadyExists, InvalidReference, VersionMismatch
from core.service_level_errors import PolicyNotFound, TooManyPolicies
from schemas.sla_policies import Recomputed, SlaPolicy, SlaPolicyList

router = APIRouter(prefix="/sla-policies", tags=["service levels"], route_class=CheckedRoute)


@router.get("", responses=responses(READS, docs.POLICIES))
async def list_sla_policies(policies: AllPolicies, principal: Caller) -> SlaPolicyList:
    """List the policies of service levels.

    Returns all policies in their order. A ticket comes under the first active one that matches it.
    """
    return await policies.all(principal)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.POLICY_CREATED, AlreadyExists, TooManyPolicies, InvalidReference),
)
async def create_sla_policy(new: NewPolicy, policies: AllPolicies, principal: Caller, response: Response) -> SlaPolicy:
    """Create a policy of service levels.

    New tickets that match it get clocks from then on, and so do tickets that come to match it by a change. Other
    tickets get them by `POST /sla-policies/{policy_id}/recompute`. A change takes effect in all processes within 2 s.
    """
    policy = await policies.create(new, principal)
    response.headers.update(etag_of(policy.version) | location_of("/sla-policies", policy.id))
    return policy


@router.get("/{policy_id}", responses=responses(READS, docs.POLICY, PolicyNotFound))
async def get_sla_policy(
    policy_id: PolicyId, policies: AllPolicies, principal: Caller, response: Response
) -> SlaPolicy:
    """Get a policy of service levels.

    Returns the policy, which may not be active.
    """
    policy = await policies.find(policy_id, principal)
    response.headers.update(etag_of(policy.version))
    return policy


@router.patch(
    "/{policy_id}",
    responses=responses(WRITES, docs.POLICY_CHANGED, PolicyNotFound, AlreadyExists, VersionMismatch, InvalidReference),
    openapi_extra=PATCHES_POLICY,
)
async def change_sla_policy(
    policy_id: PolicyId,
    patch: PolicyChange,
    expected: ExpectedVersions,
    policies: AllPolicies,
    principal: Caller,
    response: Response,
) -> SlaPolicy:
    """Change a policy of service levels.

    The body is a merge patch (RFC 7396). What the policy promised to tickets before stays as it is, until
    `POST /sla-policies/{policy_id}/recompute`. A policy is never deleted: with `active: false` no more tickets come
    under it.
    """
    policy = await policies.change(policy_id, patch, principal, expected=expected)
    response.headers.update(etag_of(policy.version))
    return policy


@router.post("/{policy_id}/recompute", responses=responses(WRITES, docs.RECOMPUTED, PolicyNotFound))
async def recompute_sla_policy(
    policy_id: PolicyId, request: RecomputeRequest, recomputation: PolicyRecomputation, principal: Caller
) -> Recomputed:
    """Apply a policy to existing tickets.

    Examines up to 500 tickets that are not closed, and puts those under the present promises that are under this
    policy or match it now; time that was spent stays spent. Each is a change of the ticket. With `dry_run`, which is
    the default, nothing is changed. Repeat the request with `next_after` for the tickets after these.
    """
    return await recomputation.recompute(policy_id, request, principal)
