"""The areas of the administration, by the last segment of their paths."""

from collections.abc import Mapping
from typing import Final

from desk.admin.area import Area
from desk.admin.calendars import CalendarArea
from desk.admin.custom_fields import FieldArea
from desk.admin.groups import GroupArea
from desk.admin.keys import KeyArea
from desk.admin.people import PeopleArea
from desk.admin.policies import PolicyArea
from desk.admin.rules import RuleArea
from desk.admin.tags import TagArea
from desk.admin.webhooks import WebhookArea

_ALL: Final[tuple[Area, ...]] = (
    PeopleArea(),
    GroupArea(),
    KeyArea(),
    FieldArea(),
    TagArea(),
    PolicyArea(),
    CalendarArea(),
    RuleArea(),
    WebhookArea(),
)
AREAS: Final[Mapping[str, Area]] = {area.slug: area for area in _ALL}
