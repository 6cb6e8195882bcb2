"""The problem types of rules."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

RULE_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.RuleNotFound: ProblemType(
        404,
        "rule-not-found",
        "Rule not found",
        "No rule with this id exists.",
        "Check the id: the rule may have been deleted. `GET /rules` lists all rules.",
    ),
    errors.TooManyRules: ProblemType(
        409,
        "too-many-rules",
        "Too many rules",
        "There are 20 rules, which is the maximum.",
        "Delete rules that are not used, inactive ones included, or put conditions together in one rule.",
    ),
}
