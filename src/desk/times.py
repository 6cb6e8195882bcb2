"""Times as pages show them: in the zone of the reader, and in UTC for scripts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from desk.languages import Language


@dataclass(frozen=True, slots=True)
class ShownTime:
    """A time: `full`, and `utc` in the form of RFC 3339 for the attribute `datetime`."""

    full: str
    utc: str


@dataclass(frozen=True, slots=True)
class BriefTime:
    """A time in a list: `short`, and `utc` in the form of RFC 3339."""

    short: str
    utc: str


class Clock:
    """Shows times in one zone and one language. `now` decides what `short` leaves out: the day, or the year."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self._months = language.months
        self._is_utc = zone.key == "UTC"
        self._zone = zone
        self._today = now.astimezone(zone).date()

    def show(self, time: str | datetime) -> ShownTime:
        """Return a time, given with its offset or as RFC 3339 writes it."""
        moment = datetime.fromisoformat(time) if isinstance(time, str) else time
        local = moment.astimezone(self._zone)
        day = f"{local.day}\N{NO-BREAK SPACE}{self._months[local.month - 1]}"
        clock = f"{local.hour:02}:{local.minute:02}"
        full = f"{day}\N{NO-BREAK SPACE}{local.year}, {clock}"
        return ShownTime(full, moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))

    def brief(self, utc: str) -> BriefTime:
        """Return a time in UTC, as the API writes it, for a list."""
        moment = datetime.fromisoformat(utc)
        local = moment if self._is_utc else moment.astimezone(self._zone)
        if local.date() == self._today:
            short = f"{local.hour:02}:{local.minute:02}"
        else:
            short = f"{local.day}\N{NO-BREAK SPACE}{self._months[local.month - 1]}"
            if local.year != self._today.year:
                short += f"\N{NO-BREAK SPACE}{local.year}"
        return BriefTime(short, f"{utc[:19]}Z")

    def show_or_none(self, time: str | datetime | None) -> ShownTime | None:
        """Return a time, or None for None."""
        return None if time is None else self.show(time)
