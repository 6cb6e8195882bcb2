"""Rules: what the service does by itself to new and changed tickets."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import BeforeValidator, Field

from api.dependencies import AllRules, Caller, DryRuns
from api.http.checked_route import CheckedRoute
from api.http.conditional import ExpectedVersions
from api.http.headers import etag_of, location_of
from api.openapi import rule_responses as docs
from api.openapi.request_bodies import PATCHES_RULE, NewRule, RuleChange, RuleTrial
from api.openapi.responses import MUTATES, READS, WRITES, responses
from core.errors import (
    AlreadyExists,
    InvalidFields,
    InvalidReference,
    RuleNotFound,
    TooManyRules,
    VersionMismatch,
)
from schemas.fields import ID_MAX, plain_number
from schemas.rule_dry_runs import RuleDryRunResult
from schemas.rules import Rule, RuleList

router = APIRouter(prefix="/rules", tags=["rules"], route_class=CheckedRoute)

_RuleId = Annotated[
    int,
    Field(ge=1, le=ID_MAX),
    BeforeValidator(plain_number),
    Path(description="The id of the rule.", examples=[1]),
]


@router.get("", responses=responses(READS, docs.RULES))
async def list_rules(rules: AllRules, principal: Caller) -> RuleList:
    """List rules.

    Returns all rules in the order in which they apply, inactive ones included.
    """
    return await rules.all(principal)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(WRITES, docs.RULE_CREATED, AlreadyExists, TooManyRules, InvalidReference, InvalidFields),
)
async def create_rule(new: NewRule, rules: AllRules, principal: Caller, response: Response) -> Rule:
    """Create a rule.

    It applies within two seconds, to tickets that are created or changed from then on, in the transaction of that
    change. All rules are evaluated before any of them applies, so that no rule triggers another one; then they apply
    in their order, and later ones override earlier ones. There are at most 20.
    """
    rule = await rules.create(new, principal)
    response.headers.update(etag_of(rule.version) | location_of("/rules", rule.id))
    return rule


@router.post("/dry-run", responses=responses(WRITES, docs.RULE_TRIED, InvalidReference, InvalidFields))
async def try_rule(trial: RuleTrial, dry_runs: DryRuns, principal: Caller) -> RuleDryRunResult:
    """Try a rule.

    Returns what the rule would do to the tickets that were created last, with their present values, as if each was
    created now; a rule that is not for new tickets sees their present status. Nothing is written.
    """
    return await dry_runs.run(trial, principal)


@router.get("/{rule_id}", responses=responses(READS, docs.RULE, RuleNotFound))
async def get_rule(rule_id: _RuleId, rules: AllRules, principal: Caller, response: Response) -> Rule:
    """Get a rule.

    Returns the rule with its conditions and actions.
    """
    rule = await rules.find(rule_id, principal)
    response.headers.update(etag_of(rule.version))
    return rule


@router.patch(
    "/{rule_id}",
    responses=responses(
        WRITES, docs.RULE_CHANGED, RuleNotFound, AlreadyExists, VersionMismatch, InvalidReference, InvalidFields
    ),
    openapi_extra=PATCHES_RULE,
)
async def change_rule(
    rule_id: _RuleId,
    patch: RuleChange,
    expected: ExpectedVersions,
    rules: AllRules,
    principal: Caller,
    response: Response,
) -> Rule:
    """Change a rule.

    The body is a merge patch (RFC 7396); `match` and `actions` are replaced as a whole. The change takes effect within
    two seconds.
    """
    rule = await rules.change(rule_id, patch, principal, expected=expected)
    response.headers.update(etag_of(rule.version))
    return rule


@router.delete("/{rule_id}", responses=responses(MUTATES, docs.RULE_DELETED, RuleNotFound, VersionMismatch))
async def delete_rule(rule_id: _RuleId, expected: ExpectedVersions, rules: AllRules, principal: Caller) -> Rule:
    """Delete a rule.

    Returns the rule as it was. Events keep its id in `applied_rules`, which no other rule gets.
    """
    return await rules.delete(rule_id, principal, expected=expected)
