"""The pages that the `type` of a problem leads to: what it means and what to do, for people, from the one table.

They are not in the OpenAPI document: a program has no use for them, and a generated client no method.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from api.problems.pages import index, page
from api.problems.types import ALL, ProblemType

# The pages carry their own style and load nothing.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY}
_BY_SLUG: Final = {kind.slug: kind for kind in ALL}

router = APIRouter(prefix="/problems", include_in_schema=False)


async def _named(slug: str) -> ProblemType:
    try:
        return _BY_SLUG[slug]
    except KeyError:
        raise HTTPException(404) from None


@router.get("")
async def list_problems() -> HTMLResponse:
    """List every type of problem."""
    return HTMLResponse(index(ALL), headers=_HEADERS)


@router.get("/{slug}")
async def get_problem(kind: Annotated[ProblemType, Depends(_named)]) -> HTMLResponse:
    """Explain one type of problem."""
    return HTMLResponse(page(kind), headers=_HEADERS)
