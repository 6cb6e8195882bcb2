"""The commands of the README's tour work as they stand, one after the other, on an empty database."""

import os
import re
import subprocess
from pathlib import Path

from core.settings import ROOT
from support.factories import settings_for
from support.programs import require_program
from support.service_process import ServiceProcess

ADDRESS = "http://127.0.0.1:8000"
# One status for each command; the last one of the first part is refused because the ticket is closed.
STATUSES = [
    *(201, 201, 200, 200, 200, 200, 409),
    *(201, 201),
    *(201, 201, 200, 200, 200, 200, 200),
    201,
    *(201, 200, 200, 200),
    200,
    *(200, 200, 201),
]


def test_the_tour(own_database_dsn: str, redis_address: tuple[str, int], tmp_path: Path) -> None:
    require_program("curl")
    section = (ROOT / "README.md").read_text().partition("\n## A tour\n")[2].partition("\n## ")[0]
    commands = "".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL))
    assert commands.startswith(f"api={ADDRESS} ")
    settings = settings_for(own_database_dsn, *redis_address, allow_anonymous=False)
    with ServiceProcess(tmp_path / "log", settings) as service:
        variables, *calls = commands.replace(ADDRESS, service.url).splitlines()
        responses = [run(f"{variables}\n{call}") for call in calls]
    assert [int(response.split()[1]) for response in responses] == STATUSES
    assert "/problems/ticket-closed" in responses[6]
    assert '"id":2' in responses[14]
    assert '"value":"floor-3"' in responses[15]


def run(script: str) -> str:
    """Return what a script of bash prints."""
    done = subprocess.run(
        ["bash", "-euc", script],
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout
