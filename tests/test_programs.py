"""CI installs the programs that tests need; a test fails in CI, and is skipped elsewhere, if one is missing."""

import subprocess
from pathlib import Path

import pytest

from core.settings import ROOT
from support.programs import require_program

PACKAGES = {
    "chromium": "chromium",
    "redis-cli": "redis-tools",
    "wrk": "wrk",
    "promtool": "prometheus",
    "docker-compose": "docker-compose",
    "pipenv": "pipenv",
}


def test_the_first_installed_program_is_used() -> None:
    assert require_program("no-such-program", "bash").endswith("/bash")


def test_a_missing_program_fails_a_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require_program("no-such-program")


def test_a_missing_program_skips_a_test_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        require_program("no-such-program")


def installed(folder: Path, *, user_id: int, programs: set[str]) -> list[str]:
    """Run the installation on a machine with these programs; return the commands that apt-get got."""
    log, commands = folder / "log", folder / "bin"
    commands.mkdir()
    for name in ("bash", "timeout", "rm", "chmod", "env"):
        (commands / name).symlink_to(require_program(name))
    scripts = dict.fromkeys(programs, "") | {"id": f"echo {user_id}", "apt-get": f'echo "$@" >>{log}'}
    for name, script in scripts.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    environment = {"PATH": str(commands), "POLICY_FILE": str(folder / "policy-rc.d")}
    subprocess.run([ROOT / ".ci/install-programs"], env=environment, check=True, timeout=30)
    assert not (folder / "policy-rc.d").exists()
    return [line.rpartition(" ")[2] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("missing", PACKAGES)
def test_only_a_missing_program_is_installed(tmp_path: Path, missing: str) -> None:
    assert installed(tmp_path, user_id=0, programs=PACKAGES.keys() - {missing}) == ["update", PACKAGES[missing]]


def test_nothing_is_installed_where_every_program_exists(tmp_path: Path) -> None:
    assert installed(tmp_path, user_id=0, programs=set(PACKAGES)) == []


def test_nothing_is_installed_without_root(tmp_path: Path) -> None:
    assert installed(tmp_path, user_id=1000, programs=set()) == []
