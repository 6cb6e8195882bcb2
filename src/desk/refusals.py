"""A refused form, in the words of the viewer: the page shows it together with what was typed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from api.problems.handlers import refusal_response
from core.errors import ServiceError
from desk import words
from desk.desk_request import DeskRequest
from desk.languages import N_, Language
from desk.problem_words import words_for

Refused = (ServiceError, RequestValidationError)
"""What a form can be refused with."""

_NUMBER: Final = re.compile(r"[0-9][0-9,]*")
# The messages of the API that forms can cause; `%(n)s` stands for a number.
_MESSAGES: Final = (
    N_("must not be blank"),
    N_("is required"),
    N_("must be a valid email address"),
    N_("must have at most %(n)s characters"),
    N_("must have at least %(n)s characters"),
    N_("must be a whole number in plain digits"),
    N_("must not contain the NUL character"),
    N_("must be letters in lower case, digits and the characters - _ : ."),
    N_("must be the id of an active agent or admin"),
    N_("must be the id of an active group"),
    N_("must be public if there is a status: a note makes no transition"),
    N_("no ticket has this id"),
    N_("must be a number"),
    N_("is required to close the ticket"),
    N_("is required to create the ticket"),
    N_("must be a form in UTF-8"),
    N_("must change at least one field or tag"),
    N_("must be unique"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a form was refused: a title, an explanation, and what is wrong with which field."""

    title: str
    explanation: str
    parts: Sequence[tuple[str, str]]
    status: int


async def refusal_of(asked: DeskRequest, error: Exception) -> Refusal:
    """Return what to show for a service error or an invalid form."""
    problem = json.loads(bytes((await refusal_response(asked.request, error)).body))
    return refusal_of_problem(problem, asked.viewer.language)


def refusal_of_problem(problem: Mapping[str, Any], language: Language) -> Refusal:
    """Return what to show for the body of a problem."""
    title, explanation = words_for(str(problem["type"]).rpartition("/")[2], problem["status"])
    parts = [
        (_field(part.get("pointer") or part.get("parameter") or "", language), _message(part["detail"], language))
        for part in problem.get("errors", ())
    ]
    return Refusal(language.gettext(title), language.gettext(explanation), parts, problem["status"])


def refusal_of_slug(slug: str, language: Language) -> Refusal:
    """Return what to show for a conflict that was stored, by the last segment of the type of its problem."""
    return refusal_of_problem({"type": slug, "status": 409}, language)


def _field(place: str, language: Language) -> str:
    name = place.removeprefix("#/").removeprefix("custom/").partition("/")[0]
    return language.gettext(words.FIELDS[name]) if name in words.FIELDS else name


def _message(detail: str, language: Language) -> str:
    number = _NUMBER.search(detail)
    if number is None:
        return language.gettext(detail)
    template = f"{detail[: number.start()]}%(n)s{detail[number.end() :]}"
    return language.gettext(template).replace("%(n)s", number[0])
