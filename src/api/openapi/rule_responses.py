"""The successes of the operations on rules."""

from typing import Final

from api.openapi.responses import ResponseDoc

RULES: Final = ResponseDoc(200, "The rules.", (), ("rules",))
RULE: Final = ResponseDoc(200, "The rule.", ("ETag",), ("rule",))
RULE_CREATED: Final = ResponseDoc(201, "The created rule.", ("Location", "ETag"), ("rule",))
RULE_CHANGED: Final = ResponseDoc(200, "The rule after the change.", ("ETag",), ("rule",))
RULE_DELETED: Final = ResponseDoc(200, "The rule before its deletion.", (), ("rule",))
RULE_TRIED: Final = ResponseDoc(200, "What the rule would do.", (), ("rule-dry-run",))
