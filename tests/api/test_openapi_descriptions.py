"""The OpenAPI document as people read it: descriptions, examples, roles, samples."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from core.settings import ROOT
from support.factories import JSON
from support.openapi_document import operations, texts

PACKAGES = "|".join(sorted(path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").exists()))
# Names of products, protocols and headers that look like the name of a class.
PROPER_NAMES = {"CloudEvent", "CloudEvents", "RateLimit", "OpenID", "PostgreSQL"}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> JSON:
    return app.openapi()


def members(document: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield each member of each schema, by its name in full."""
    for name, schema in document["components"]["schemas"].items():
        for member, member_schema in schema.get("properties", {}).items():
            yield f"{name}.{member}", member_schema


def needs_example(schema: JSON) -> bool:
    """Return whether a schema leaves open what a value looks like: it is no enum, no boolean and no other schema."""
    kinds = schema.get("anyOf", [schema])
    return not any(
        kind.keys() & {"enum", "const", "$ref"} or kind.get("type") == "boolean" or "$ref" in kind.get("items", {})
        for kind in kinds
    )


def test_every_schema_and_every_member_has_a_description(document: JSON) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
    checked = list(members(document))
    for name, schema in checked:
        assert schema.get("description"), name
        assert schema["description"].endswith("."), name
    assert len(checked) > 70


def test_every_member_has_a_valid_example_or_needs_none(document: JSON) -> None:
    for name, schema in members(document):
        assert schema.get("examples") or not needs_example(schema), name
        for example in schema.get("examples", ()):
            Draft202012Validator(schema | {"components": document["components"]}).validate(example)


def test_every_parameter_has_a_description_and_a_valid_example(document: JSON) -> None:
    for name, operation in operations(document).items():
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
            examples = parameter["schema"].get("examples")
            assert examples, (name, parameter["name"])
            for example in examples:
                schema = parameter["schema"] | {"components": document["components"]}
                Draft202012Validator(schema).validate(example)


def test_every_operation_has_a_summary_and_a_description(document: JSON) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for name, operation in operations(document).items():
        assert len(operation["summary"]) < 60
        assert not operation["summary"].endswith(".")
        assert operation["description"] != operation["summary"], name
        assert all(tags[tag] for tag in operation["tags"])
    assert len({operation["summary"] for operation in operations(document).values()}) == len(operations(document))


def test_every_header_and_every_response_has_a_description(document: JSON) -> None:
    for header in document["components"]["headers"].values():
        assert header["description"].endswith(".")
        assert "example" in header
    for response in document["components"]["responses"].values():
        assert response["description"]


def test_every_operation_lists_its_roles(document: JSON) -> None:
    for name, operation in operations(document).items():
        roles = operation["x-roles"]
        is_open = roles == ["anyone"]
        assert is_open or set(roles) <= {"admin", "agent", "requester", "monitor"}, name
        line = "anyone, without credentials." if is_open else f"{', '.join(roles)}. **Scope:** {operation['x-scope']}."
        assert operation["description"].endswith(f"\n\n**Roles:** {line}"), name


def test_the_security_of_an_operation_agrees_with_its_roles(document: JSON) -> None:
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for name, operation in operations(document).items():
        is_open = operation["x-roles"] == ["anyone"]
        assert operation["security"] == ([] if is_open else [{"bearer": []}]), name
        assert ("401" in operation["responses"]) is not is_open, name


def test_no_text_names_the_code(document: JSON) -> None:
    """Neither a module nor a class."""
    checked = list(texts(document))
    assert len(checked) > 150
    for text in checked:
        assert not re.search(rf"\b({PACKAGES})\.\w|\.py\b", text), text
        assert set(re.findall(r"\b[A-Z][a-z]{2,}[A-Z]\w*", text)) <= PROPER_NAMES, text


def test_the_document_names_its_server(document: JSON) -> None:
    (server,) = document["servers"]
    assert server["url"] == "/"
    assert server["description"]


def test_the_document_says_what_may_change_and_how_that_is_announced(document: JSON) -> None:
    promise = document["info"]["description"].partition("### Versioning and deprecation")[2]
    for part in ("without notice", "does not change", "`deprecated`", "6 months", "RFC 9745", "RFC 8594"):
        assert part in promise
    assert document["info"]["version"].startswith("1.")


def test_every_operation_has_samples(document: JSON) -> None:
    for name, operation in operations(document).items():
        assert [sample["lang"] for sample in operation["x-codeSamples"]] == ["Shell", "Python"], name
