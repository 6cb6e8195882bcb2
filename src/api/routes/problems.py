"""The HTML pages of the problem types, generated from `api.problems.types`.

The OpenAPI document omits them: they are for people, and generated clients do not need them.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from api.problems.pages import index, page
from api.problems.problem_type import ProblemType
from api.problems.types import ALL_PROBLEM_TYPES

# The pages have inline styles and load nothing.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY}
_BY_SLUG: Final = {problem_type.slug: problem_type for problem_type in ALL_PROBLEM_TYPES}

router = APIRouter(prefix="/problems", include_in_schema=False)


async def _by_slug(slug: str) -> ProblemType:
    try:
        return _BY_SLUG[slug]
    except KeyError:
        raise HTTPException(404) from None


@router.get("")
async def list_problems() -> HTMLResponse:
    """List all problem types."""
    return HTMLResponse(index(ALL_PROBLEM_TYPES), headers=_HEADERS)


@router.get("/{slug}")
async def get_problem(problem_type: Annotated[ProblemType, Depends(_by_slug)]) -> HTMLResponse:
    """Describe one problem type."""
    return HTMLResponse(page(problem_type), headers=_HEADERS)
