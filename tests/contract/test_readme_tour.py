"""The commands of the README's tour work as they stand."""

import os
import re
import subprocess

from core.settings import ROOT
from support.programs import require_program

ADDRESS = "http://127.0.0.1:8000"
# One status for each command: created, commented, read, found, closed, history, refused because it is closed.
STATUSES = ["201", "201", "200", "200", "200", "200", "409"]


def test_the_tour(service_url: str) -> None:
    require_program("curl")
    section = (ROOT / "README.md").read_text().partition("\n## A tour\n")[2]
    commands = section.partition("```bash\n")[2].partition("```")[0]
    assert commands.startswith(f"api={ADDRESS} ")
    variables, create, *others = commands.replace(ADDRESS, service_url).splitlines()
    responses = [run(f"{variables}\n{create}")]
    # The tour assumes an empty database; this one is shared with other tests.
    created = re.search(r"^location: (/tickets/\d+)", responses[0], re.MULTILINE)
    assert created is not None, responses[0]
    responses += [run(f"{variables}\n{command.replace('/tickets/1', created[1])}") for command in others]
    assert [response.split()[1] for response in responses] == STATUSES
    assert "/problems/ticket-closed" in responses[-1]


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
