"""entrypoint.sh uses the active virtual environment if it has what Pipfile.lock pins, and otherwise installs .venv."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import packaging
import pytest

from core.settings import ROOT
from support.programs import require_program

NEVER = "python_version < '3'"
PINNED = {
    "default": {
        "some-package": {"version": "==1.2.3", "markers": "python_version >= '3.11'"},
        "not-for-this-python": {"version": "==9", "markers": NEVER},
    },
    "develop": {"Test.Package": {"version": "==4.5"}},
}
CONFIGURED = {"DATABASE_DSN": "postgresql://u@h/d", "REDIS_HOST": "h"}
PRINT_PREFIX = ("python", "-c", "import sys; print(sys.prefix)")


class Project:
    """A copy of entrypoint.sh with a lock of its own, and a finished `.venv`, so that nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        shutil.copy(ROOT / "entrypoint.sh", folder)
        (folder / "Pipfile.lock").write_text(json.dumps(PINNED))
        (folder / "src").mkdir()
        (folder / "src/serve.py").write_text("import sys; print(sys.prefix)")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def finish_own(self) -> Path:
        """Create what an installation of `.venv` leaves."""
        own = virtual_environment(self.folder / ".venv")
        shutil.copy(self.folder / "Pipfile.lock", own)
        return own

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command or [self.folder / "entrypoint.sh"],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


def virtual_environment(folder: Path, **versions: str) -> Path:
    """Create a virtual environment with the records of packages of these versions, but without their files."""
    venv.create(folder, with_pip=False, symlinks=True)
    # Environment markers are evaluated by `packaging`, which a real one has.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "packaging.pth").write_text(str(Path(packaging.__file__).parents[1]))
    add_packages(folder, **versions)
    return folder


def add_packages(folder: Path, **versions: str) -> None:
    (packages,) = folder.glob("lib/python*/site-packages")
    for name, version in versions.items():
        record = packages / f"{name}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_an_active_environment_with_the_pinned_packages_is_used(project: Project, tmp_path: Path) -> None:
    active = virtual_environment(tmp_path / "active", some_package="1.2.3", test_package="4.5", another="1")
    ran = project.run(VIRTUAL_ENV=str(active))
    assert (ran.stdout, ran.stderr) == (f"{active}\n", "")
    assert not (project.folder / ".venv").exists()
    assert project.run("./entrypoint.sh", *PRINT_PREFIX, VIRTUAL_ENV=str(active)).stdout == f"{active}\n"


@pytest.mark.parametrize("versions", [{"test_package": "4.5"}, {"some_package": "1.2.4", "test_package": "4.5"}])
def test_an_active_environment_without_them_is_not_used(
    project: Project, tmp_path: Path, versions: dict[str, str]
) -> None:
    own = project.finish_own()
    active = virtual_environment(tmp_path / "active", **versions)
    ran = project.run(VIRTUAL_ENV=str(active))
    assert (ran.stdout, ran.stderr) == (f"{own}\n", "")
    ran = project.run(VIRTUAL_ENV=str(active), PIPENV_ACTIVE="1")
    assert ran.stdout == f"{own}\n"
    assert "lacks some-package 1.2.3;" in ran.stderr
    assert "pipenv install --ignore-pipfile --dev" in ran.stderr


def test_a_configured_service_needs_no_development_packages(project: Project, tmp_path: Path) -> None:
    own = project.finish_own()
    active = virtual_environment(tmp_path / "active", some_package="1.2.3")
    assert project.run(VIRTUAL_ENV=str(active), **CONFIGURED).stdout == f"{active}\n"
    assert project.run(VIRTUAL_ENV=str(active)).stdout == f"{own}\n"
    ran = project.run("./entrypoint.sh", *PRINT_PREFIX, VIRTUAL_ENV=str(active), **CONFIGURED)
    assert ran.stdout == f"{own}\n"


def test_an_environment_that_was_deleted_is_not_used(project: Project, tmp_path: Path) -> None:
    own = project.finish_own()
    assert project.run(VIRTUAL_ENV=str(tmp_path / "deleted")).stdout == f"{own}\n"
    assert project.run().stdout == f"{own}\n"


def test_pipenv_runs_the_service_in_its_own_environment(project: Project, tmp_path: Path) -> None:
    pipenv = require_program("pipenv")
    (project.folder / "Pipfile").write_text('[scripts]\nserve = "./entrypoint.sh"\n')
    homes = {"WORKON_HOME": str(tmp_path / "environments"), "PIPENV_PYTHON": sys.executable}
    # The first command creates the environment.
    environment = Path(project.run(pipenv, "run", *PRINT_PREFIX, **homes).stdout.strip())
    assert environment.is_relative_to(tmp_path / "environments")
    add_packages(environment, some_package="1.2.3", test_package="4.5")
    ran = project.run(pipenv, "run", "serve", **homes)
    assert ran.stdout == f"{environment}\n", ran.stderr
    assert not (project.folder / ".venv").exists()
