"""Preconditions of changes, media types of a patch, and what caches may store."""

import json

import httpx2
import pytest
from fastapi import FastAPI

from support.factories import JSON, a_comment, open_ticket

PATCH_TYPES = "application/json, application/merge-patch+json"


def changes(ticket: JSON) -> list[tuple[str, str, JSON]]:
    path = f"/tickets/{ticket['id']}"
    return [("PATCH", path, {"subject": "changed"}), ("POST", f"{path}/comments", a_comment())]


@pytest.mark.parametrize("tags", ["*", " * ", '"1"', 'W/"1"', '"7", "1"'])
async def test_a_change_is_refused_if_none_match_has_the_current_version(client: httpx2.AsyncClient, tags: str) -> None:
    ticket = await open_ticket(client)
    for method, path, body in changes(ticket):
        response = await client.request(method, path, json=body, headers={"If-None-Match": tags})
        assert (response.status_code, response.json()["type"]) == (412, "/problems/version-mismatch")
        assert response.headers["ETag"] == '"1"'
    assert (await client.get(f"/tickets/{ticket['id']}")).json()["version"] == 1


@pytest.mark.parametrize("tags", ['"7"', '"7", W/"8"', "nonsense", '"one"'])
async def test_a_change_is_made_if_none_match_has_other_versions(client: httpx2.AsyncClient, tags: str) -> None:
    ticket = await open_ticket(client)
    for method, path, body in changes(ticket):
        response = await client.request(method, path, json=body, headers={"If-None-Match": tags})
        assert response.is_success, response.text


async def test_both_preconditions_apply(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}"
    for matching, not_matching, status in (
        ('"1"', '"1"', 412),
        ("*", "*", 412),
        ("*", '"1"', 412),
        ('"2"', '"3"', 412),
        ('"1"', '"2"', 200),
    ):
        headers = {"If-Match": matching, "If-None-Match": not_matching}
        response = await client.patch(path, json={"subject": "changed"}, headers=headers)
        assert response.status_code == status, headers


async def test_a_missing_ticket_is_not_found_whatever_the_precondition(client: httpx2.AsyncClient) -> None:
    response = await client.patch("/tickets/9000000000", json={"subject": "x"}, headers={"If-None-Match": "*"})
    assert response.status_code == 404


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/merge-patch+json",
        " application/merge-patch+json ;x=y",
    ],
)
async def test_a_patch_has_one_of_two_media_types(client: httpx2.AsyncClient, media_type: str) -> None:
    path = f"/tickets/{(await open_ticket(client))['id']}"
    headers = {"Content-Type": media_type}
    assert (await client.patch(path, content='{"subject": "x"}', headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "media_type", ["application/json-patch+json", "application/vnd.api+json", "text/json", "application/x", "", "json"]
)
async def test_a_patch_of_another_media_type_is_refused(client: httpx2.AsyncClient, media_type: str) -> None:
    """The body of a JSON Patch (RFC 6902) would mean something else."""
    path = f"/tickets/{(await open_ticket(client))['id']}"
    for body in ('{"subject": "x"}', "[]", "not JSON"):
        response = await client.patch(path, content=body, headers={"Content-Type": media_type})
        assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")
        assert response.headers["Accept-Patch"] == PATCH_TYPES


async def test_only_a_patch_names_the_media_types_of_patches(client: httpx2.AsyncClient) -> None:
    response = await client.post("/tickets", content="x", headers={"Content-Type": "text/plain"})
    assert response.status_code == 415
    assert "Accept-Patch" not in response.headers


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_metrics_are_not_stored(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.headers.get_list("Cache-Control")) == (200, ["no-store"])


async def test_the_openapi_document_is_not_sent_again(client: httpx2.AsyncClient, app: FastAPI) -> None:
    first = await client.get("/openapi.json")
    assert (first.status_code, json.loads(first.content)) == (200, app.openapi())
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for tags in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await client.get("/openapi.json", headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (tag, "no-cache")
    for tags in ('"other"', tag.strip('"'), ""):
        assert (await client.get("/openapi.json", headers={"If-None-Match": tags})).status_code == 200
    head = await client.head("/openapi.json")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (tag, str(len(first.content)))
