"""The internals of uvicorn, FastAPI and Starlette that the service relies on.

None of these is a documented interface, so a minor release may change them without notice. Each test names what is used
and where, and fails before the service misbehaves.
"""

import asyncio
import inspect
import logging
import signal
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.http.connection import Connection
from api.http.serialized import SerializedResponse
from api.middleware.access_log import RouteScopeMiddleware

REQUEST = b"GET / HTTP/1.1\r\nHost: tickets\r\n\r\n"


def require(owner: object, names: Iterable[str], *, used_in: str) -> None:
    missing = [name for name in names if not hasattr(owner, name)]
    name = owner.__name__ if isinstance(owner, type) else type(owner).__name__
    assert not missing, f"{name} has no {', '.join(missing)}, on which {used_in} relies"


# uvicorn


class Transport(asyncio.Transport):
    """Takes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


# What `Connection` overrides, apart from the methods of asyncio.Protocol that the transport calls.
OVERRIDDEN = (
    *("on_message_begin", "on_headers_complete", "on_message_complete", "on_response_complete"),
    *("_start_asgi_task", "send_400_response"),
)


class Recorded(HttpToolsProtocol):
    """Records the calls of the methods that `Connection` overrides."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.calls: list[str] = []
        super().__init__(*args, **kwargs)


def recording(name: str) -> Callable[..., None]:
    def record(self: Recorded, *args: object) -> None:
        self.calls.append(name)
        getattr(HttpToolsProtocol, name)(self, *args)

    return record


for overridden in OVERRIDDEN:
    setattr(Recorded, overridden, recording(overridden))


async def empty(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def connected() -> Recorded:
    protocol = Recorded(Config(empty, log_config=None), ServerState(), {})
    protocol.connection_made(Transport())
    return protocol


async def respond(protocol: HttpToolsProtocol) -> None:
    protocol.data_received(REQUEST)
    async with asyncio.timeout(5):
        await asyncio.gather(*protocol.tasks)


async def test_uvicorn_has_the_attributes_that_the_connection_class_uses() -> None:
    protocol, used_in = await connected(), "api/http/connection.py"
    require(
        protocol,
        (
            *("transport", "flow", "loop", "scheme", "cycle", "tasks", "server_state", "timeout_keep_alive_task"),
            *("parser", "pipeline"),
        ),
        used_in=used_in,
    )
    require(protocol.server_state, ("default_headers",), used_in=used_in)
    require(protocol.flow, ("write_paused", "read_paused", "pause_reading", "resume_reading"), used_in=used_in)
    assert protocol.cycle is None
    await respond(protocol)
    require(protocol.headers, ("append",), used_in=used_in)
    require(protocol.cycle, ("response_started", "response_complete", "disconnected", "message_event"), used_in=used_in)
    assert protocol.cycle.response_complete
    assert protocol.timeout_keep_alive_task is not None
    assert STATUS_LINE[431].startswith(b"HTTP/1.1 431 ")
    protocol.timeout_keep_alive_task.cancel()


async def test_uvicorn_calls_the_methods_that_the_connection_class_overrides() -> None:
    protocol = await connected()
    require(HttpToolsProtocol, OVERRIDDEN, used_in="api/http/connection.py")
    await respond(protocol)
    assert protocol.calls == [
        "on_message_begin",
        "on_headers_complete",
        "_start_asgi_task",
        "on_message_complete",
        "on_response_complete",
    ]
    protocol.calls.clear()
    protocol.data_received(b"no HTTP\r\n\r\n")
    assert protocol.calls[-1] == "send_400_response"
    assert set(OVERRIDDEN) <= vars(Connection).keys()
    protocol.connection_lost(None)


async def test_uvicorn_writes_no_access_log_without_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """`core.logs.configure` turns it off in this way."""
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", False)
    assert not (await connected()).access_log


def test_the_signal_handler_of_uvicorn_is_a_method_of_its_server() -> None:
    """`api.http.shutdown` finds the server by it."""
    server = uvicorn.Server(Config(empty, log_config=None))
    with server.capture_signals():
        assert getattr(signal.getsignal(signal.SIGTERM), "__self__", None) is server
    require(server, ("should_exit", "force_exit"), used_in="api/http/shutdown.py")


# FastAPI


async def scope_after(app: ASGIApp, path: str) -> Scope:
    """Return the scope of a request after the application has processed it."""
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
        "client": None,
        "server": None,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_message: object) -> None:
        pass

    await app(scope, receive, send)
    return scope


def an_app() -> FastAPI:
    router = APIRouter(prefix="/items")

    @router.get("/{item_id}")
    async def get_item(item_id: int) -> int:
        return item_id

    app = FastAPI(middleware=[Middleware(RouteScopeMiddleware)])
    app.include_router(router)
    return app


async def test_fastapi_leaves_the_route_in_the_scope() -> None:
    """`api.middleware.access_log` reads it, and `api.middleware.fast_path` writes it."""
    scope = await scope_after(an_app(), "/items/1")
    assert isinstance(scope.get("route"), APIRoute), "scope['route'] is not an APIRoute"
    assert scope["route"].path == "/items/{item_id}"
    assert scope["route"].endpoint.__name__ == "get_item"


def test_fastapi_lists_the_routes_of_included_routers() -> None:
    """`api.http.headers.allowed_methods` collects their methods."""
    routes = {context.path: context.methods for context in iter_route_contexts(an_app().routes)}
    assert routes.get("/items/{item_id}") == {"GET"}


def test_fastapi_takes_the_arguments_that_the_wiring_passes() -> None:
    """`max_body_size` and `telemetry` are recent: main.py and api/tracing.py."""
    assert "max_body_size" in inspect.signature(FastAPI.include_router).parameters
    assert "telemetry" in inspect.signature(FastAPI.__init__).parameters
    used = {"tracing", "metrics", "logs", "operation_spans", "tracer_provider", "exclude"}
    assert used <= TelemetryConfig.__annotations__.keys()


async def test_fastapi_reports_a_body_of_another_type_as_bytes() -> None:
    """`api.problems.handlers` distinguishes 415 from 422 by it."""

    class Item(BaseModel):
        name: str

    app, bodies = FastAPI(), []

    @app.post("/items")
    async def create_item(item: Item) -> Item:
        return item

    async def keep_body(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        bodies.append(error.body)
        return Response()

    app.add_exception_handler(RequestValidationError, keep_body)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"name"}

    async def send(_message: object) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/items", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert bodies == [b"name"]


# Starlette


async def test_starlette_leaves_the_endpoint_and_the_mounted_path_in_the_scope() -> None:
    """`api.middleware.access_log` builds the names of routes without a template from them."""

    async def page(_request: Request) -> Response:
        return Response()

    app = Starlette(routes=[Route("/page", page), Mount("/files", empty)])
    routed = await scope_after(app, "/page")
    assert routed.get("endpoint") is page, "scope['endpoint'] is not the function of the route"
    assert routed.get("path_params") == {}
    mounted = await scope_after(app, "/files/any")
    assert "app_root_path" in mounted, "scope['app_root_path'] does not mark a mounted application"
    assert mounted["root_path"] == "/files"


def test_starlette_compiles_a_path_to_a_regular_expression() -> None:
    """`api.http.headers.allowed_methods` matches paths with it."""
    assert compile_path("/items/{item_id}")[0].fullmatch("/items/1")


def test_a_starlette_response_has_the_attributes_that_a_serialized_response_sets() -> None:
    """`SerializedResponse` does not call the constructor of its base class."""
    assert vars(Response(b"")).keys() - {"background"} == vars(SerializedResponse(200, [], b"")).keys()
    assert SerializedResponse.background is Response(b"").background is None


def test_starlette_handles_unexpected_errors_outside_of_all_middleware() -> None:
    """`api.problems.handlers` therefore adds the security headers to a 500 itself."""
    assert isinstance(an_app().build_middleware_stack(), ServerErrorMiddleware)
