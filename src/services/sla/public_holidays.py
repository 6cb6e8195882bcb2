"""The public holidays of a country, which the library `holidays` computes."""

from collections.abc import Mapping

from core.errors import Fault, InvalidReference


def public_holidays(country: str, subdivision: str | None, year: int) -> Mapping[str, str]:
    """Return the names of the public holidays of a year, in the language of the country, by their dates (`YYYY-MM-DD`).

    The first call takes about a second: call it in a thread. Raises InvalidReference if the library does not have the
    country or the subdivision.
    """
    # Imported at the first use: the library takes 30 MB of memory and half a second.
    import holidays  # noqa: PLC0415

    entity = getattr(holidays, country, None)
    if entity is None:
        raise InvalidReference(Fault("must be a country whose holidays are known", "query", "country"))
    try:
        # Without a language, the names would be in that of the environment of the process.
        found = entity(subdiv=subdivision, years=year, language=entity.default_language)
    except NotImplementedError:
        detail = "must be a subdivision whose holidays are known, or absent"
        raise InvalidReference(Fault(detail, "query", "subdivision")) from None
    return {day.isoformat(): name for day, name in sorted(found.items()) if day.year == year}
