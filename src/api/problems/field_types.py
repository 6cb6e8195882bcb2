"""The problem types of custom fields."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

FIELD_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.FieldNotFound: ProblemType(
        404,
        "field-not-found",
        "Field not found",
        "No custom field with this key exists, or the caller is not permitted to see it.",
        "`GET /fields` lists the custom fields that the caller can see.",
    ),
    errors.TooManyFields: ProblemType(
        409,
        "too-many-fields",
        "Too many fields",
        "There are 100 custom fields that are not archived, which is the maximum.",
        "Archive a field with `PATCH /fields/{key}` and `archived: true` before you add another one.",
    ),
    errors.InvalidFields: ProblemType(
        422,
        "invalid-fields",
        "Invalid fields",
        "One or more values do not fit their custom fields.",
        "Each entry of `errors` names a value of `custom` and the reason. `GET /fields` returns the type and the "
        "options of each field.",
        extensions={"errors": [{"detail": "must be one of the options of the field", "pointer": "#/custom/device"}]},
    ),
    errors.FieldsRequired: ProblemType(
        422,
        "fields-required",
        "Fields required",
        "The ticket has no value of a custom field that is required at this time.",
        "`errors` names the fields. Send their values in `custom`, together with the transition to `closed` if the "
        "field is required to close a ticket. `GET /fields` says when each field is required.",
        extensions={"errors": [{"detail": "is required to close the ticket", "pointer": "#/custom/device"}]},
    ),
}
