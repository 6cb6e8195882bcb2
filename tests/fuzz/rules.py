"""The checks of responses: every check of Schemathesis, two of this project, and a few exceptions."""

import re
import unicodedata
from collections.abc import Iterator, Set
from itertools import count
from typing import Any, Final
from zoneinfo import available_timezones

import schemathesis
from email_validator import SPECIAL_USE_DOMAIN_NAMES
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse
from schemathesis.schemas import BaseSchema

from api.problems.types import PROBLEM_TYPES
from core.errors import ServiceError, Unavailable
from schemas.bulk import EITHER, NO_ACTION
from schemas.canned_replies import UNKNOWN_VARIABLE
from schemas.cloud_events import MAX_WAIT_S
from schemas.ticket_numbers import MAX_DAYS, MAX_DAYS_BY, TOO_MANY_DAYS, UNTIL_BEFORE_SINCE
from schemas.ticket_queries import NOT_A_QUERY
from support.factories import JSON

CHECKS: Final[JSON] = {
    # All of them. Three find nothing as long as the document has no security scheme and no DELETE: ignored_auth,
    # object_level_authorization, use_after_free.
    "enabled": True,
    "max_response_time": 10,  # in seconds, on a busy machine
    # Refusals because of the state of a ticket are recognised below, by their problem type and not by their status.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "304"]},
    # Stricter than the default: an invalid request must be refused as invalid, before the state is read. The invalid
    # part may be the credentials, and a query with random values may be longer than 8 KiB (414).
    "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "405", "406", "413", "414", "415", "422"]},
}

# The document defines which requests are well formed. It does not know the tickets, their statuses, the valid cursors
# and the used keys. These are the problems of the service's own errors, without those of an unavailable part.
_OF_THE_STATE: Final = {
    f"/problems/{kind.slug}"
    for error, kind in PROBLEM_TYPES.items()
    if issubclass(error, ServiceError) and not issubclass(error, Unavailable)
}
_KEY: Final = "Idempotency-Key"
# Fields that belong together.
_TOGETHER: Final = {
    "is required: source and external_id belong together",
    "is required with source",
    "must be public if there is a status: a note makes no transition",
    "must not consist of dots",
    "must have at most 50 characters in its composed form (NFC)",
    "a select or multiselect field needs options",
    "only a select or multiselect field has options",
    "must not have the same option twice",
    "must be absent, or the same as in the path",
    "must have either principal_id, or name and role",
    "must have email for the role requester, and only for it",
    "must be in the future",
    "must have either from or after",
    "to must be later than from",
    "must not be earlier than from",
    "must be at most 3,660 days after from",
    "must begin before 24:00",
    "must not end when it begins: a whole day is from 00:00 to 24:00",
    "must be a date that exists",
    "must have at least one action",
    "must have at least one budget",
    NOT_A_QUERY,
    UNTIL_BEFORE_SINCE,
    *(TOO_MANY_DAYS.format(days=days - 1) for days in (MAX_DAYS, MAX_DAYS_BY)),
    EITHER,
    NO_ACTION,
    UNKNOWN_VARIABLE,
}
_MIN_UNIQUE_LENGTH: Final = 16
# Two labels at least, without hyphens, none of which is of special use.
_PLAIN_DOMAIN: Final = re.compile(
    rf"([a-z]{{1,63}}\.)+(?!({'|'.join(re.escape(each) for each in SPECIAL_USE_DOMAIN_NAMES)})$)[a-z]{{2,63}}", re.ASCII
)
_SPECIAL_USE: Final = tuple(f".{domain}" for domain in SPECIAL_USE_DOMAIN_NAMES)


def install(schema: BaseSchema) -> None:
    """Add the exceptions to one schema."""
    numbers = count()
    documented = frozenset(_examples(schema.raw_schema))

    @schema.hook
    def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        is_of_method = isinstance(failure, UnsupportedMethodResponse) or response.status_code == 405
        if (
            case.path.endswith(("/tickets/counts", "/tickets/bulk", "/bulk/dry-run", "/rules/dry-run", "/views/counts"))
            and is_of_method
        ):
            return False  # the path of a ticket or a rule has the other methods, and refuses this id (422)
        if not isinstance(failure, RejectedPositiveData):
            return True
        if any(isinstance(value, list) for value in (case.path_parameters or {}).values()):
            return False  # a list of ids in a response, such as `group_id` of conditions, is no id
        problem = response.json()
        return problem["type"] not in _OF_THE_STATE and not _is_not_expressible(problem, case)

    @schema.hook
    def map_case(_context: HookContext, case: Case[Any]) -> Case[Any]:
        # The documented key is valid for one request. Further requests with it would only test the key.
        if case.headers and case.headers.get(_KEY) in documented:
            case.headers[_KEY] = f"{case.headers[_KEY]}-{next(numbers)}"
        # A long poll of 25 s shows nothing that a short one does not.
        if case.query and str(case.query.get("wait", "")).isdigit() and int(case.query["wait"]) <= MAX_WAIT_S:
            case.query["wait"] = 0
        return case


@schemathesis.check
def refusal_is_a_problem(_ctx: CheckContext, response: Response, _case: Case[Any]) -> None:
    """Check that refusals of undocumented methods and media types are problems too."""
    if response.status_code >= 400 and "readyz" not in str(response.request.url):
        assert response.headers["content-type"] == ["application/problem+json"], response.headers
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["request_id"] == response.headers["x-request-id"][0]


@schemathesis.check
class RefusalRepeatsNothing:
    """Checks that a refusal repeats no value of the request that is too long to be there by chance.

    Harmless names of fields and parameters may be repeated: they locate the error.
    """

    def __init__(self) -> None:
        self._documented: Set[str] | None = None

    def after_response(self, _ctx: CheckContext, response: Response, case: Case[Any]) -> None:
        if response.status_code < 400:
            return
        if self._documented is None:
            self._documented = frozenset(_examples(case.operation.schema.raw_schema))
        for text in _strings([case.body, case.path_parameters, case.query, dict(case.headers or {})]):
            assert len(text) < _MIN_UNIQUE_LENGTH or text in self._documented or text not in response.text, text


def _is_not_expressible(problem: JSON, case: Case[Any]) -> bool:
    """Return whether every error of a problem is a rule that JSON Schema can not express, and is correct.

    These are: text without a visible character, because Unicode versions differ in these characters; addresses in the
    special-use domains of RFC 6761, which the format "email" allows; names of hosts that no address has; names of no
    time zone; times in the past; letters of tags in upper case; and fields that belong together.
    """
    errors = [(part["detail"], _at(case, part)) for part in problem.get("errors", [])]
    return bool(errors) and all(
        (detail == "must not be blank" and all(unicodedata.category(character)[0] in "CZ" for character in value))
        or (detail == "must be a valid email address" and value.lower().endswith(_SPECIAL_USE))
        or (detail.startswith("must be a time zone") and value not in available_timezones())
        or (detail.startswith("must be letters in lower case") and value != value.lower())
        or (detail == "must be a domain that email addresses have" and not _PLAIN_DOMAIN.fullmatch(value))
        or detail in _TOGETHER
        for detail, value in errors
    )


def _at(case: Case[Any], part: JSON) -> str:
    if "parameter" in part:
        return str(((case.query or {}) | (case.path_parameters or {})).get(part["parameter"], "?"))
    field = part["pointer"].removeprefix("#/")
    value: Any = case.body
    for step in field.split("/"):
        value = (
            value[int(step)] if isinstance(value, list) else value.get(step, "?") if isinstance(value, dict) else "?"
        )
    return str(value)


def _examples(document: Any) -> Iterator[str]:
    """Yield the examples, choices and defaults of the document. A refusal may repeat them."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in {"examples", "example", "enum", "default", "const", "value"}:
                yield from _strings(value)
            yield from _examples(value)
    elif isinstance(document, list):
        for each in document:
            yield from _examples(each)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
