"""The values of custom fields: what each type accepts, and the form in which it is stored."""

import json
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.errors import FieldsRequired, InvalidFields
from fields.conftest import COLORS, EVERY_TYPE, definition, fields_of
from models import FieldType, RequiredAt
from services.fields.values import MAX_NUMBER, MAX_TEXT_LENGTH, changed_values, ensure_complete, filter_text

# A letter first, so that no text is blank.
TEXTS = st.builds("x{}".format, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=99))
NUMBERS = st.integers(-MAX_NUMBER, MAX_NUMBER) | st.floats(-MAX_NUMBER, MAX_NUMBER)
VALUES = st.one_of(
    st.tuples(st.just("text"), TEXTS),
    st.tuples(st.just("number"), NUMBERS),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("date"), st.dates().map(str)),
    st.tuples(st.just("select"), st.sampled_from(COLORS)),
    st.tuples(st.just("multiselect"), st.lists(st.sampled_from(COLORS), min_size=1, unique=True)),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def canonical(key: str, value: object, *, is_requester: bool = False) -> Any:
    return changed_values(EVERY_TYPE, {key: value}, is_requester=is_requester)[key]


def faults_of(key: str, value: object) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    with pytest.raises(InvalidFields) as caught:
        canonical(key, value)
    return tuple((fault.steps, fault.detail) for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("key", "sent", "stored"),
    [
        ("text", " As sent\n", " As sent\n"),
        ("text", "x" * MAX_TEXT_LENGTH, "x" * MAX_TEXT_LENGTH),
        ("number", 3, 3),
        ("number", 1.50, 1.5),
        ("number", 4.0, 4),
        ("number", -0.0, 0),
        ("number", -1e15, -(10**15)),
        ("boolean", False, False),
        ("date", "2028-02-29", "2028-02-29"),
        ("select", "green", "green"),
        ("multiselect", ["blue", "red"], ["red", "blue"]),
        ("multiselect", [], None),
        *((str(each), None, None) for each in FieldType),
    ],
)
def test_a_value_is_stored_in_one_form(key: str, sent: object, stored: object) -> None:
    found = canonical(key, sent)
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("text", ""),
        ("text", " \t"),
        ("text", "x\0"),
        ("text", "x" * (MAX_TEXT_LENGTH + 1)),
        pytest.param("text", "half of a pair: \ud800", id="text-surrogate"),
        ("text", 1),
        ("number", "1"),
        ("number", True),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 10**15 + 1),
        pytest.param("number", 10**400, id="number-huge"),
        pytest.param("number", -(10**400), id="number-huge-negative"),
        ("boolean", 1),
        ("boolean", "true"),
        ("date", "2026-02-29"),
        ("date", "20260302"),
        ("date", "2026-03-02T00:00:00Z"),
        ("date", "2026-W10-1"),
        ("date", 20260302),
        ("select", "Red"),
        ("select", ["red"]),
        ("select", {}),
        ("multiselect", "red"),
        ("multiselect", {"red": True}),
    ],
)
def test_a_value_of_another_form_is_refused(key: str, value: object) -> None:
    ((place, reason),) = faults_of(key, value)
    assert place == ("body", "custom", key)
    assert reason


@pytest.mark.parametrize("item", ["yellow", "red", 1, None, []])
def test_the_place_of_a_fault_in_a_list_is_the_item(item: object) -> None:
    ((place, _),) = faults_of("multiselect", ["red", item])
    assert place == ("body", "custom", "multiselect", 1)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidFields) as caught:
        changed_values(EVERY_TYPE, {"number": "x", "unknown": 1, "text": "fine", "date": 1}, is_requester=False)
    assert [fault.steps[2] for fault in caught.value.faults] == ["number", "unknown", "date"]


def test_an_archived_field_takes_no_value_and_can_be_emptied() -> None:
    fields = fields_of(definition("old", FieldType.TEXT, archived=True))
    assert changed_values(fields, {"old": None}, is_requester=False) == {"old": None}
    with pytest.raises(InvalidFields, match="fit"):
        changed_values(fields, {"old": "x"}, is_requester=False)


def test_a_hidden_field_is_for_a_requester_as_unknown_as_one_that_does_not_exist() -> None:
    fields = fields_of(
        definition("hidden", FieldType.NUMBER, visible_to_requester=False),
        definition("gone", FieldType.NUMBER, visible_to_requester=False, archived=True),
    )
    reasons = set()
    for key in ("hidden", "gone", "missing"):
        for value in (1, "x", None):
            with pytest.raises(InvalidFields) as caught:
                changed_values(fields, {key: value}, is_requester=True)
            (fault,) = caught.value.faults
            assert fault.steps == ("body", "custom", key)
            reasons.add(fault.detail)
    assert reasons == {"unknown field"}


@given(sent=VALUES)
def test_the_stored_form_of_a_value_is_its_own_stored_form(sent: tuple[str, object]) -> None:
    key, value = sent
    stored = canonical(key, value)
    again = canonical(key, json.loads(json.dumps(stored)))
    assert (again, type(again)) == (stored, type(stored))


@given(key=st.sampled_from(list(EVERY_TYPE)), value=JSON_VALUES)
def test_any_json_is_either_stored_or_refused(key: str, value: object) -> None:
    """Nothing that a client sends is an internal error, and what is accepted can be encoded."""
    try:
        stored = canonical(key, value)
    except InvalidFields:
        return
    json.dumps(stored, ensure_ascii=False, allow_nan=False).encode()


@given(sent=VALUES)
@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_filter_finds_the_value_that_postgresql_stores(
    directory_sql: asyncpg.Connection, sent: tuple[str, object]
) -> None:
    """The text of the filter is the text that PostgreSQL makes of the stored JSON value, or of its items."""
    key, value = sent
    stored = json.dumps(canonical(key, value), ensure_ascii=False)
    if isinstance(value, list):
        texts = await directory_sql.fetchval("SELECT array(SELECT jsonb_array_elements_text($1::jsonb))", stored)
        assert [filter_text(EVERY_TYPE[key], item) for item in value] == value
        assert set(texts) == set(value)
    else:
        written = value if isinstance(value, str) else json.dumps(value)
        text = await directory_sql.fetchval("SELECT $1::jsonb #>> '{}'", stored)
        assert filter_text(EVERY_TYPE[key], written) == text


@given(text=st.text())
def test_any_text_of_a_filter_is_either_a_value_or_refused(text: str) -> None:
    for field in EVERY_TYPE.values():
        with suppress(InvalidFields):
            assert "\0" not in filter_text(field, text)


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        ("number", "1.50", "1.5"),
        ("number", "1e3", "1000"),
        ("number", "1e-7", "0.0000001"),
        ("number", "-0", "0"),
        ("boolean", "true", "true"),
        ("date", "2026-03-02", "2026-03-02"),
        ("select", "an option that was removed", "an option that was removed"),
        ("text", "", ""),
    ],
)
def test_a_filter_is_read_by_the_type_of_its_field(key: str, text: str, found: str) -> None:
    assert filter_text(EVERY_TYPE[key], text) == found


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(("number", text) for text in ("", "x", "NaN", "Infinity", "1e400", " 1", "0x1", "1_0", "٣", "[1]", '"1"')),
        pytest.param("number", "9" * 5000, id="number-long"),
        pytest.param("number", "[" * 5000, id="number-nested"),
        *(("boolean", text) for text in ("True", "1", "")),
        *(("date", text) for text in ("2026-02-30", "today", "")),
        ("text", "\0"),
        ("multiselect", "red\0"),
    ],
)
def test_a_filter_of_another_form_is_refused(key: str, text: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        filter_text(EVERY_TYPE[key], text)
    assert [fault.steps for fault in caught.value.faults] == [("query", f"custom.{key}")]


def test_the_closing_of_a_ticket_requires_what_its_creation_requires_too() -> None:
    fields = fields_of(
        definition("always", FieldType.TEXT, required=RequiredAt.CREATE),
        definition("finally", FieldType.BOOLEAN, required=RequiredAt.CLOSE),
        definition("never", FieldType.TEXT),
        definition("archived", FieldType.TEXT, required=RequiredAt.CREATE, archived=True),
    )
    ensure_complete(fields, {"always": "x"}, RequiredAt.CREATE, is_requester=False)
    ensure_complete(fields, {"always": "x", "finally": False}, RequiredAt.CLOSE, is_requester=False)
    for values, at, missing in (
        ({}, RequiredAt.CREATE, ("always",)),
        ({"always": None}, RequiredAt.CLOSE, ("always", "finally")),
    ):
        with pytest.raises(FieldsRequired) as caught:
            ensure_complete(fields, values, at, is_requester=False)
        assert caught.value.keys == missing
