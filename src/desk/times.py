"""Times as pages show them: in the zone of the reader, and in UTC for scripts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from desk.languages import Language


@dataclass(frozen=True, slots=True)
class ShownTime:
    """A time: `short` for lists, `full`, and `utc` in the form of RFC 3339 for the attribute `datetime`."""

    short: str
    full: str
    utc: str


class Clock:
    """Shows times in one zone and one language. `now` decides what `short` leaves out: the day, or the year."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self._months = language.months
        self._zone = zone
        self._today = now.astimezone(zone).date()

    def show(self, time: str | datetime) -> ShownTime:
        """Return a time, given with its offset or as RFC 3339 writes it."""
        moment = datetime.fromisoformat(time) if isinstance(time, str) else time
        local = moment.astimezone(self._zone)
        day = f"{local.day}\N{NO-BREAK SPACE}{self._months[local.month - 1]}"
        clock = f"{local.hour:02}:{local.minute:02}"
        full = f"{day}\N{NO-BREAK SPACE}{local.year}, {clock}"
        if local.date() == self._today:
            short = clock
        else:
            short = day if local.year == self._today.year else f"{day}\N{NO-BREAK SPACE}{local.year}"
        return ShownTime(short, full, moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))

    def show_or_none(self, time: str | datetime | None) -> ShownTime | None:
        """Return a time, or None for None."""
        return None if time is None else self.show(time)
