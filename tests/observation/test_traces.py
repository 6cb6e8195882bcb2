"""The spans that a collector receives from a service in a process of its own."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from core.settings import ROOT, Settings
from db.embedded.process import free_port
from support.factories import a_ticket
from support.service_process import ServiceProcess, clean_environment

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SECRET = "carol@example.com"


class Collector:
    """A collector that stores the requests it receives."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.received]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        thread.join()
        collector.server.server_close()


def attributes(span: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in span.attributes}


def test_a_request_and_its_database_calls_are_one_trace(settings: Settings, tmp_path: Path) -> None:
    with collecting() as collector:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "REDIS_PREFIX": "traces:"}
        with ServiceProcess(tmp_path / "log", settings, **traced) as running:
            assert running.request("POST", "/tickets", a_ticket(email=SECRET, text=SECRET)).status == 201
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
            assert running.request("GET", f"/tickets/1?email={SECRET}", headers=headers).status == 200
            assert running.request("GET", f"/tickets?email={SECRET}").status == 200
        # The shutdown has sent the rest of the spans.
        spans = collector.spans
        traced_spans = [span for span in spans if span.trace_id.hex() == TRACE]
    (request,) = [span for span in traced_spans if span.kind == Span.SPAN_KIND_SERVER]
    assert request.name == "GET /tickets/{ticket_id}"
    assert request.parent_span_id.hex() == CALLER
    children = [span for span in traced_spans if span.parent_span_id == request.span_id]
    statements = [attributes(span)["db.statement"] for span in children]
    assert [statement for statement in statements if statement.startswith("HMGET ?")]
    assert [statement for statement in statements if "FROM tickets" in statement and "$1" in statement]
    assert not [span for span in spans if attributes(span).get("url.path") in {"/readyz", "/livez"}]
    (line,) = [line for line in running.access_log() if line.get("trace_id") == TRACE]
    assert line["route"] == "/tickets/{ticket_id}"
    assert SECRET.encode() not in b"".join(collector.received)
    assert b"alice" not in b"".join(collector.received)


def test_an_unavailable_collector_delays_neither_requests_nor_the_shutdown(settings: Settings, tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with ServiceProcess(tmp_path / "log", settings, OTEL_EXPORTER_OTLP_ENDPOINT=away) as running:
        assert running.request("GET", "/workflow").status == 200
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) in {0, -signal.SIGTERM}
    assert running.log_lines()


def test_without_a_collector_no_tracing_module_is_imported() -> None:
    program = """
import sys
from core.settings import Settings
from main import create_app
create_app(Settings(_env_file=None, database_dsn="postgresql://u@127.0.0.1:1/d", redis_host="127.0.0.1"))
print(*sys.modules)
"""
    environment = clean_environment(PYTHONPATH=str(ROOT / "src"))
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.split()
    assert "fastapi" in loaded
    # redis-py imports the metrics of the SDK wherever the SDK is installed.
    parts = ("sdk.trace.", "exporter", "instrumentation")
    unwanted = (*(f"opentelemetry.{part}" for part in parts), "google.protobuf", "wrapt", "db.tracing", "core.tracing")
    assert [name for name in loaded if name.startswith(unwanted)] == []
