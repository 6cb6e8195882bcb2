"""The public holidays of a country, which the library `holidays` computes."""

import threading
import warnings
from collections.abc import Mapping
from typing import Any, Final

from core.errors import Fault, InvalidReference

# The filters of warnings are those of the whole process: one call at a time changes them.
_ONE_AT_A_TIME: Final = threading.Lock()


def public_holidays(country: str, subdivision: str | None, year: int) -> Mapping[str, str]:
    """Return the names of the public holidays of a year, in the language of the country, by their dates (`YYYY-MM-DD`).

    The first call takes about a second: call it in a thread. Raises InvalidReference if the library does not have the
    country, the subdivision, or all holidays of the year.
    """
    # Imported at the first use: the library takes 30 MB of memory and half a second.
    import holidays  # noqa: PLC0415

    entity = getattr(holidays, country, None)
    if entity is None:
        raise InvalidReference(Fault("must be a country whose holidays are known", "query", "country"))
    try:
        # Without a language, the names would be in that of the environment of the process.
        found, is_complete = _computed(entity, subdiv=subdivision, years=year, language=entity.default_language)
    except NotImplementedError:
        detail = "must be a subdivision whose holidays are known, or absent"
        raise InvalidReference(Fault(detail, "query", "subdivision")) from None
    if not is_complete or not entity.start_year <= year <= entity.end_year:
        raise InvalidReference(Fault("must be a year whose holidays are all known", "query", "year"))
    return {day.isoformat(): name for day, name in sorted(found.items()) if day.year == year}


def _computed(entity: Any, **options: Any) -> tuple[Any, bool]:  # noqa: ANN401 - a class of the library
    """Return the holidays, and whether they are complete: the library warns of those that it cannot compute."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = entity(**options)
    return found, not any(issubclass(each.category, UserWarning) for each in caught)
