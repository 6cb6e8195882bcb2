"""A synthetic language: word frequencies follow Zipf's law, as in natural texts; half Russian, half English."""

import random
from itertools import accumulate
from typing import Final

VOCABULARY_SIZE: Final = 20_000
# Mandelbrot's correction: without it, the most frequent word would make up a tenth of a text.
_SHIFT: Final = 2.7

_ENGLISH: Final = (
    "printer fire paper screen blue mouse server network cable password account invoice order refund login error "
    "crash update driver backup mail phone camera monitor keyboard battery charger router signal report license"
)
_RUSSIAN: Final = (
    "принтер огонь бумага экран мышь сервер сеть кабель пароль аккаунт счёт заказ возврат вход ошибка сбой обновление "
    "драйвер копия почта телефон камера монитор клавиатура батарея зарядка роутер сигнал отчёт лицензия договор"
)
_ENGLISH_SYLLABLES: Final = [a + b for a in "bdfgklmnprtvz" for b in "aeiou"]
_RUSSIAN_SYLLABLES: Final = [a + b for a in "бвгдзклмнпрст" for b in "аеиоу"]
# Endings that no stemmer removes as a suffix, so that each word has a stem of its own.
_ENGLISH_ENDINGS: Final = "bdgkmnpx"
_RUSSIAN_ENDINGS: Final = "бгдзкпрф"


def vocabulary() -> list[str]:
    """Return the words, the most frequent first; every call returns the same words."""
    chance = random.Random(20_000)  # noqa: S311 - not for security
    real = [word for pair in zip(_ENGLISH.split(), _RUSSIAN.split(), strict=False) for word in pair]
    words = dict.fromkeys(real)
    while len(words) < VOCABULARY_SIZE:
        is_english = len(words) % 2 == 0
        syllables = chance.choices(_ENGLISH_SYLLABLES if is_english else _RUSSIAN_SYLLABLES, k=chance.choice((2, 3)))
        words["".join(syllables) + chance.choice(_ENGLISH_ENDINGS if is_english else _RUSSIAN_ENDINGS)] = None
    return list(words)


class TextGenerator:
    """Generates texts; the same seed gives the same texts."""

    def __init__(self, seed: int) -> None:
        self.chance: Final = random.Random(seed)  # noqa: S311 - not for security
        self._words = vocabulary()
        self._weights = list(accumulate(1 / (rank + _SHIFT) for rank in range(1, VOCABULARY_SIZE + 1)))

    def text(self, shortest: int, longest: int) -> str:
        """Return a text of `shortest` to `longest` words."""
        count = self.chance.randint(shortest, longest)
        return " ".join(self.chance.choices(self._words, cum_weights=self._weights, k=count))

    def ordinary_query(self) -> str:
        """Return one or two words outside the 100 most frequent; their ranks are log-uniformly distributed."""
        return " ".join(self._words[self._rank(100, VOCABULARY_SIZE)] for _ in range(self.chance.randint(1, 2)))

    def common_query(self) -> str:
        """Return two of the 20 most frequent words."""
        return " ".join(self.chance.sample(self._words[:20], 2))

    def _rank(self, first: int, last: int) -> int:
        return int(first * (last / first) ** self.chance.random())
