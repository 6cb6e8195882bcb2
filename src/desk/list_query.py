"""The query of a list page: the filters of the API, with days in place of times, and without empty fields."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.http.query import REPEATABLE, check_query
from schemas.lists import TicketQuery

DAYS: Final = (
    *("created_after", "created_before", "updated_after", "updated_before"),
    *("closed_after", "closed_before", "due_before"),
)
_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Fields that do not say which tickets are listed.
_NO_FILTERS: Final = frozenset({"cursor", "sort", "limit"})

Pairs = list[tuple[str, str]]


class ListQuery:
    """The parameters of a list page, in their order, without empty ones."""

    def __init__(self, query_string: bytes) -> None:
        """Read a query. Raises RequestValidationError if it is not UTF-8 or repeats what has one value."""
        check_query(query_string)
        self.pairs: Final[Pairs] = [pair for pair in parse_qsl(query_string.decode()) if pair[1]]

    def values(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for each, value in self.pairs if each == name]

    def value(self, name: str) -> str:
        """Return the value of a parameter, empty without one."""
        return next(iter(self.values(name)), "")

    @property
    def filters(self) -> Pairs:
        """The parameters that restrict the list."""
        return [pair for pair in self.pairs if pair[0] not in _NO_FILTERS]

    def with_cursor(self, cursor: str) -> str:
        """Return the query of the page after this one."""
        return urlencode([*(pair for pair in self.pairs if pair[0] != "cursor"), ("cursor", cursor)])

    def without(self, *dropped: tuple[str, str]) -> str:
        """Return the query of the first page without some of the parameters."""
        return urlencode([pair for pair in self.pairs if pair[0] != "cursor" and pair not in dropped])

    def for_service(self, zone: ZoneInfo) -> TicketQuery:
        """Return the query for the service; a day begins in the zone of the viewer. Raises RequestValidationError."""
        try:
            return TicketQuery.model_validate(_members(self.pairs, zone))
        except ValidationError as error:
            raise invalid(error, "query") from None

    def for_api(self, zone: ZoneInfo) -> Mapping[str, str | list[str]]:
        """Return the filters and the order as the API has them, without the page."""
        return _members([pair for pair in self.pairs if pair[0] not in {"cursor", "limit"}], zone)


def invalid(error: ValidationError, location: str) -> RequestValidationError:
    """Return the errors of a model as those of a request: `location` is `query` or `body`."""
    return RequestValidationError([{**part, "loc": (location, *part["loc"])} for part in error.errors()])


def begin_of_day(day: str, zone: ZoneInfo) -> str:
    """Return the beginning of a day with its offset; the day itself if it does not exist."""
    try:
        return datetime.fromisoformat(day).replace(tzinfo=zone).isoformat()
    except ValueError:
        return day


def _members(pairs: Iterable[tuple[str, str]], zone: ZoneInfo) -> Mapping[str, str | list[str]]:
    members: dict[str, str | list[str]] = {}
    for name, value in pairs:
        if name in REPEATABLE:
            known = members.setdefault(name, [])
            assert isinstance(known, list)  # noqa: S101 - a repeatable name has lists alone
            known.append(value)
        else:
            members[name] = begin_of_day(value, zone) if name in DAYS and _DAY.fullmatch(value) else value
    return members
