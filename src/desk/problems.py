"""Shows problems as pages: on their paths, each `application/problem+json` becomes HTML in the words of the desk.

So the refusals of the middleware, of the services and of the framework have one table, that of the API.
"""

import json
from time import perf_counter
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.request_id import request_id
from api.paths import DESK_ASSETS, PAGES
from api.problems.handlers import MEDIA_TYPE
from api.problems.types import STATUS_PROBLEMS
from desk.pages import Pages, frame_of
from desk.refusals import refusal_of_problem

EVENTS: Final = "/desk/events"
_CONTENT_TYPE: Final = b"content-type"
# Of the response that becomes a page.
_REPLACED: Final = frozenset({_CONTENT_TYPE, b"content-length"})


class DeskProblemsMiddleware:
    """Replaces the problem responses of pages. The scripts of the desk read those of the stream as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or not _is_of_page(scope["path"]):
            await self._app(scope, receive, send)
            return
        began_at = perf_counter()
        problem_start: Message | None = None
        has_started = False
        body = b""

        async def send_page(message: Message) -> None:
            nonlocal problem_start, has_started, body
            if message["type"] == "http.response.start" and _is_problem(message):
                problem_start = message
                return
            has_started = True
            if problem_start is None:
                await send(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                page = _page(Request(scope), json.loads(body), began_at)
                kept = [header for header in problem_start["headers"] if header[0] not in _REPLACED]
                page.raw_headers = [*page.raw_headers, *kept]
                await page(scope, receive, send)

        try:
            await self._app(scope, receive, send_page)
        except Exception:
            # The handler of unexpected errors, outside of all middleware, logs it, and sends nothing after this.
            if not has_started:
                await _page(Request(scope), _unexpected(Request(scope)), began_at)(scope, receive, send)
            raise


def _is_of_page(path: str) -> bool:
    return path in PAGES and path not in DESK_ASSETS and path != EVENTS


def _is_problem(message: Message) -> bool:
    return any(name == _CONTENT_TYPE and value.startswith(MEDIA_TYPE.encode()) for name, value in message["headers"])


def _unexpected(request: Request) -> dict[str, Any]:
    return {"type": STATUS_PROBLEMS[500].type, "status": 500, "request_id": request_id(request)}


def _page(request: Request, problem: dict[str, Any], began_at: float) -> Response:
    desk = request.app.state.desk
    language = desk.languages.chosen(None, request.headers.get("accept-language", ""))
    refusal = refusal_of_problem(problem, language)
    pages: Pages = desk.pages
    context = {"refusal": refusal, "request_id": problem["request_id"]}
    return pages.response("problem.html", frame_of(request, language, None, began_at), context, refusal.status)
