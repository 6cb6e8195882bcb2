"""What the fuzzing holds answers to: every check of Schemathesis, two of ours, and the few places where they bend."""

import unicodedata
from collections.abc import Iterator, Set
from itertools import count
from typing import Any, Final

import schemathesis
from email_validator import SPECIAL_USE_DOMAIN_NAMES
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.schemas import BaseSchema

from api.problems.types import PROBLEM_TYPES
from core.errors import ServiceError, Unavailable
from support.factories import JSON

CHECKS: Final[JSON] = {
    # None is left off. Three have nothing to find as long as the document names no security scheme and no DELETE:
    # ignored_auth, object_level_authorization, use_after_free.
    "enabled": True,
    "max_response_time": 10,  # in seconds, on a machine that has other things to do
    # What is refused for the state it meets is told apart below, by its problem type and not by its status.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "304"]},
    # Stricter than the default: a request that is invalid must be refused as that, before the state is looked at. What
    # is spoilt may be its credentials.
    "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "405", "406", "413", "415", "422"]},
}

# A document says which requests are well formed, not which tickets there are, how they stand, which cursors were given
# out and which keys were used: the service's own errors, except that a part of it does not answer.
_OF_THE_STATE: Final = {
    f"/problems/{kind.slug}"
    for error, kind in PROBLEM_TYPES.items()
    if issubclass(error, ServiceError) and not issubclass(error, Unavailable)
}
_KEY: Final = "Idempotency-Key"
_LEAST_TELLING: Final = 16
_SPECIAL_USE: Final = tuple(f".{domain}" for domain in SPECIAL_USE_DOMAIN_NAMES)


def install(schema: BaseSchema) -> None:
    """Bend what must be bent, for one schema."""
    numbers = count()
    documented = frozenset(_examples(schema.raw_schema))

    @schema.hook
    def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        if not isinstance(failure, RejectedPositiveData):
            return True
        problem = response.json()
        return problem["type"] not in _OF_THE_STATE and not _is_beyond_words(problem, case)

    @schema.hook
    def map_case(_context: HookContext, case: Case[Any]) -> Case[Any]:
        # The documented key would be good for one request; whatever follows would meet the key and not the rules.
        if case.headers and case.headers.get(_KEY) in documented:
            case.headers[_KEY] = f"{case.headers[_KEY]}-{next(numbers)}"
        return case


@schemathesis.check
def refusal_is_a_problem(_ctx: CheckContext, response: Response, _case: Case[Any]) -> None:
    """Hold methods and media types that the document does not name to what it says of refusals."""
    if response.status_code >= 400 and "readyz" not in str(response.request.url):
        assert response.headers["content-type"] == ["application/problem+json"], response.headers
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["request_id"] == response.headers["x-request-id"][0]


@schemathesis.check
class RefusalRepeatsNothing:
    """Holds refusals to repeating no value that is long enough to be told from the service's own words.

    Names are repeated, if they are harmless: they say where the fault is.
    """

    def __init__(self) -> None:
        self._documented: Set[str] | None = None

    def after_response(self, _ctx: CheckContext, response: Response, case: Case[Any]) -> None:
        if response.status_code < 400:
            return
        if self._documented is None:
            self._documented = frozenset(_examples(case.operation.schema.raw_schema))
        for text in _strings([case.body, case.path_parameters, case.query, dict(case.headers or {})]):
            assert len(text) < _LEAST_TELLING or text in self._documented or text not in response.text, text


def _is_beyond_words(problem: JSON, case: Case[Any]) -> bool:
    """Return whether all that is wrong is what no JSON Schema says in words that every tool knows, and it is so.

    That is text which shows nothing, since what is invisible changes with each version of Unicode; and addresses in
    domains that RFC 6761 keeps for special use, which the format "email" allows.
    """
    wrong = [(part["detail"], _at(case, part)) for part in problem.get("errors", [])]
    return bool(wrong) and all(
        (detail == "must not be blank" and all(unicodedata.category(character)[0] in "CZ" for character in value))
        or (detail == "must be a valid email address" and value.lower().endswith(_SPECIAL_USE))
        for detail, value in wrong
    )


def _at(case: Case[Any], part: JSON) -> str:
    if "parameter" in part:
        return str((case.query or {}).get(part["parameter"], "?"))
    field = part["pointer"].removeprefix("#/")
    return str(case.body[field]) if isinstance(case.body, dict) and field in case.body else "?"


def _examples(document: Any) -> Iterator[str]:
    """Yield what the document gives as examples, choices and defaults: no secret if it is said again."""
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
