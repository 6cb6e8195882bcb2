"""The problem types of people, groups, principals and API keys."""

from collections.abc import Mapping
from typing import Final

from api.problems.problem_type import ProblemType
from core import errors

DIRECTORY_PROBLEMS: Final[Mapping[type[Exception], ProblemType]] = {
    errors.PrincipalNotFound: ProblemType(
        404,
        "principal-not-found",
        "Principal not found",
        "No principal with this id exists, or the caller is not permitted to read it.",
        "Check the id. People are never deleted; `GET /people` lists them. A requester can read the names of "
        "principals that wrote publicly on one of the requester's tickets.",
    ),
    errors.GroupNotFound: ProblemType(
        404,
        "group-not-found",
        "Group not found",
        "No group with this id exists.",
        "Check the id. Groups are never deleted. `GET /groups` lists all groups with their ids.",
    ),
    errors.KeyNotFound: ProblemType(
        404,
        "key-not-found",
        "API key not found",
        "No API key with this id exists.",
        "Check the id: it is the part of the key between `tk_` and the next underscore. `GET /keys` lists all keys.",
    ),
    errors.AlreadyExists: ProblemType(
        409,
        "already-exists",
        "Already exists",
        "Another resource has this value, which must be unique.",
        "The `pointer` in `errors` names the field. The comparison ignores case. Find the other resource with "
        "`GET /people?q=`, `GET /groups` or `GET /calendars`, and change it, or choose another value.",
        extensions={"errors": [{"detail": "must be unique", "pointer": "#/email"}]},
    ),
    errors.InvalidReference: ProblemType(
        422,
        "invalid-reference",
        "Invalid reference",
        "A value refers to something that does not exist, or that cannot be used here.",
        "The `pointer` or `parameter` in `errors` names the value, and `detail` what it must refer to. Members of a "
        "group are active agents and admins; a key acts as an active person. A requester must have an email address.",
        extensions={"errors": [{"detail": "must be the id of an active agent or admin", "pointer": "#/members/0"}]},
    ),
    errors.LastAdmin: ProblemType(
        409,
        "last-admin",
        "Last admin",
        "No admin could authenticate after this change.",
        "Give another person the role `admin` first, or create an API key with this role. Without an admin, people, "
        "groups and keys could not be managed over HTTP.",
    ),
    errors.KeyNotCreated: ProblemType(
        409,
        "key-not-created",
        "API key not created",
        "A principal has at most two live keys, and all keys of one name have the same role and email address.",
        "Revoke one of the live keys with `DELETE /keys/{key_id}`, or choose another name. Revoked keys count for the "
        "role and the email address of a name, because the history names it. A deactivated account gets no keys.",
    ),
}
