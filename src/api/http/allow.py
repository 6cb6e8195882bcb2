"""Which methods a path takes, for Allow; the framework knows only those of the first route it tries."""

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def allowed_methods(request: Request) -> list[str]:
    """Return every method that a request's path takes, in the order of the alphabet."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and compile_path(route.path)[0].fullmatch(request.url.path):
            methods |= route.methods
    # What is no route is a file of the pages' assets, which are there to be read.
    methods = methods or {"GET"}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
