"""The problem types of service levels."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

SLA_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.PolicyNotFound: ProblemType(
        404,
        "policy-not-found",
        "Policy not found",
        "No policy of service levels with this id exists.",
        "Check the id. Policies are never deleted. `GET /sla-policies` lists all policies.",
    ),
    errors.TooManyPolicies: ProblemType(
        409,
        "too-many-policies",
        "Too many policies",
        "There are 100 policies of service levels, which is the maximum.",
        "Change a policy that is not active any more instead of creating one.",
    ),
}
