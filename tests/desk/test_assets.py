"""The scripts and styles: what is vendored is what npm has, and the URLs change with the content."""

import base64
import gzip
import re
from hashlib import sha384
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from desk.assets import FOLDER, Assets
from support.factories import running

# Of dist/htmx.min.js in htmx.org 4.0.1.
HTMX = "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"


def test_htmx_is_the_file_of_its_release_with_its_licence() -> None:
    assert base64.b64encode(sha384((FOLDER / "vendor" / "htmx.min.js").read_bytes()).digest()).decode() == HTMX
    assert "Zero-Clause BSD" in (FOLDER / "vendor" / "htmx.LICENSE.txt").read_text()


async def test_browsers_keep_assets_for_a_year(client: httpx2.AsyncClient, app: FastAPI) -> None:
    assets: Assets = app.state.desk.assets
    for name in assets.names:
        response = await client.get(f"/{assets.url(name)}", headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert (response.headers["Content-Encoding"], response.headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert response.content == assets.get(name).body
    plain = await client.get(f"/{assets.url('desk.css')}", headers={"Accept-Encoding": "identity"})
    assert plain.content == assets.get("desk.css").body
    assert "Content-Encoding" not in plain.headers


async def test_an_old_version_and_an_unknown_file_are_not_found(client: httpx2.AsyncClient, app: FastAPI) -> None:
    version = app.state.desk.assets.version
    for path in ("0000/desk.css", f"{version}/none.js", f"{version}/../assets.py", f"{version}/css/1-base.css"):
        assert (await client.get(f"/desk/assets/{path}")).status_code == 404


async def test_assets_need_no_credentials(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allow_anonymous": False})) as (app, client):
        url = app.state.desk.assets.url("desk.css")
        assert (await client.get(f"/{url}", headers={"Host": "tickets.example"})).status_code == 200


def test_the_version_changes_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "1.css").write_text("a {}")
    (tmp_path / "a.js").write_text("export {};")
    before = Assets(tmp_path).version
    (tmp_path / "a.js").write_text("export { };")
    assert Assets(tmp_path).version != before


def test_scripts_and_styles_are_small() -> None:
    assets = Assets()
    sent = [assets.get(name).compressed for name in assets.names if name.endswith((".js", ".css"))]
    assert sum(map(len, sent)) <= 40 * 1024
    assert all(gzip.decompress(each) for each in sent)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("js/*.js")), ids=lambda path: path.name)
def test_the_modules_import_files_that_exist(path: Path) -> None:
    for imported in re.findall(r'from "(.+?)"', path.read_text()):
        assert (path.parent / imported).is_file()
