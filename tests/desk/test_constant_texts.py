"""Texts and icons that are constant are written into the compiled templates; what varies stays a call."""

import pytest

from desk.assets import Assets
from desk.icons import icon
from desk.languages import Languages
from desk.pages import environment_of

LANGUAGES = Languages()
RUSSIAN = environment_of(LANGUAGES.all["ru"], Assets())


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ('{{ _("Closed") }}', "Закрыт"),
        ("<a title=\"{{ _('Closed') }}\">", '<a title="Закрыт">'),
        ('{{ word or _("none") }}', "нет"),
        ('{{ icon("x") }}{{ _("No filters") }}', f"{icon('x')}Без фильтров"),
        ('{{ _("Version %(number)s", number="<1>") }}', "Версия &lt;1&gt;"),
        ('{% if _("yes") == "да" %}1{% endif %}', "1"),
        ("{{ _(text) }}", "Открыт"),
        ('{{ _("Unknown & <b>") }}', "Unknown &amp; &lt;b&gt;"),
    ],
)
def test_a_template_is_in_its_language(source: str, html: str) -> None:
    assert RUSSIAN.from_string(source).render(word="", text="Open") == html


def test_an_unknown_icon_fails_when_the_template_is_compiled() -> None:
    with pytest.raises(KeyError):
        RUSSIAN.from_string('{{ icon("unicorn") }}')
