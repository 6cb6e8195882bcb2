"""An area of the administration: a list of definitions of one kind, and the form of each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fastapi import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from desk.admin.inputs import Input, Values
from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.validation import validated


@dataclass(frozen=True, slots=True)
class Row:
    """A definition in a list: the key of its page, and what the columns show."""

    key: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of definitions. `searches` is the label of its search, if it has one."""

    columns: Sequence[str]
    rows: Sequence[Row]
    next_cursor: str | None = None
    searches: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """A button of a definition, with the inputs that its form has. `asks` explains it.

    With `is_query`, the inputs become the query of the page, and nothing is changed.
    """

    name: str
    word: str
    asks: str = ""
    inputs: Sequence[Input] = ()
    is_query: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A definition as it is stored.

    `facts` are labels and values that no input has; `links` are labels and paths below the page of the definition.
    `names` are the words of stored values that are no options any more.
    """

    title: str
    values: Values
    version: int | None = None
    facts: Sequence[tuple[str, str]] = ()
    acts: Sequence[Act] = ()
    links: Sequence[tuple[str, str]] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """The values of a form that changes a definition, and the names of the inputs that were changed."""

    values: Values
    names: Set[str] = field(default_factory=frozenset)
    version: int | None = None

    @property
    def expected(self) -> set[int] | None:
        """The version that the service expects."""
        return None if self.version is None else {self.version}


class Area(ABC):
    """An area. Its methods raise what the services raise, and RequestValidationError.

    `title`, `about` and `new`, the heading of the form of a new definition, are translated where they are shown.
    Without `new`, definitions cannot be created; without `is_changeable`, they have no form.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    new: ClassVar[str] = ""
    is_changeable: ClassVar[bool] = True

    @abstractmethod
    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the page of the list that the query names."""

    @abstractmethod
    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a definition."""

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of the form."""
        raise HTTPException(404)

    async def new_values(self, asked: DeskRequest) -> Values:
        """Return what the form of a new definition has in it."""
        return Values()

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a definition. Return a page that is shown once, or None to show the list."""
        raise HTTPException(405)

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a definition."""
        raise HTTPException(405)

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Do what a button says. Return a page, or None to show the definition again."""
        raise HTTPException(404)

    async def part(self, asked: DeskRequest, key: str, name: str) -> Response:
        """Return a page below that of a definition."""
        raise HTTPException(404)


def members_of(body: Mapping[str, Any], names: Set[str], members: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of a merge patch: those that the changed inputs belong to.

    `members` maps the names of inputs to members with another name.
    """
    changed = {members.get(name, name) for name in names}
    return {member: value for member, value in body.items() if member in changed}


def new_of(model: type[BaseModel], body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the model
    """Return the body of a creation, without members that have no value. Raises RequestValidationError."""
    return validated(model, **{name: value for name, value in body.items() if value is not None})
