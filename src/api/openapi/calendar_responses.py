"""The successes of the operations on calendars."""

from typing import Final

from api.openapi.responses import ResponseDoc

CALENDARS: Final = ResponseDoc(200, "The calendars.", (), ("calendars",))
CALENDAR: Final = ResponseDoc(200, "The calendar.", ("ETag",), ("calendar",))
CALENDAR_CREATED: Final = ResponseDoc(201, "The created calendar.", ("Location", "ETag"), ("calendar",))
CALENDAR_CHANGED: Final = ResponseDoc(200, "The calendar after the change.", ("ETag",), ("calendar",))
DUE: Final = ResponseDoc(200, "The end of the working time.", (), ("due",))
WORKED: Final = ResponseDoc(200, "The working time of the span.", (), ("worked",))
HOLIDAYS: Final = ResponseDoc(200, "The public holidays.", (), ("holidays",))
