"""What can be told of an answer's words without a model: its language and the sums of money in it. Pure."""

import re

from evals.scenario import Language

_CYRILLIC, _LATIN = re.compile("[а-яё]", re.IGNORECASE), re.compile("[a-z]", re.IGNORECASE)
#: Titles of ads, names of phones and addresses are written in any language.
_OF_NO_LANGUAGE = re.compile(
    r"«[^»]*»|\"[^\"]*\"|https?://\S+|\b(iphone|samsung|galaxy|xiaomi|redmi|pixel|pro|max|mini|ultra)\b",
    re.IGNORECASE,
)
_SPACES = " \u00a0\u2009\u202f"
_NUMBER = rf"\d{{1,3}}(?:[{_SPACES},.]\d{{3}})+|\d+(?:[.,]\d+)?"
_ROUBLES = r"₽|руб\w*|р\.|р(?!\w)|rub(?:le)?s?\b|roubles?\b"
_AMOUNT = rf"({_NUMBER})[{_SPACES}]*(тыс\w*\.?|к\b|k\b)?"
_SUM = re.compile(rf"{_AMOUNT}[{_SPACES}]*(?:{_ROUBLES})|₽[{_SPACES}]*{_AMOUNT}", re.IGNORECASE)
#: The first number of "3500–7900 ₽" and "from 3,500 to 7,900 ₽".
_RANGE = re.compile(
    rf"{_AMOUNT}[{_SPACES}]*(?:[-–—]|до|to)[{_SPACES}]*(?={_AMOUNT}[{_SPACES}]*(?:{_ROUBLES}))", re.IGNORECASE
)


def language_of(text: str) -> Language | None:
    """The language that most letters are of; None when there are none."""
    bare = _OF_NO_LANGUAGE.sub("", text)
    russian, english = len(_CYRILLIC.findall(bare)), len(_LATIN.findall(bare))
    if russian == english:
        return None
    return "ru" if russian > english else "en"


def sums(text: str) -> list[int]:
    """Every sum in roubles: "от 3 500 ₽" -> [3500], "2,5 тыс. руб." -> [2500], "1500-2000 р" -> both."""
    begun = [(found.start(), found[1], found[2]) for found in _RANGE.finditer(text)]
    whole = [(found.start(), found[1] or found[3], found[2] or found[4]) for found in _SUM.finditer(text)]
    return [_roubles(number, thousands or "") for _, number, thousands in sorted(begun + whole)]


def _roubles(number: str, thousands: str) -> int:
    bare = re.sub(rf"[{_SPACES}]", "", number)
    if thousands:
        return round(float(bare.replace(",", ".")) * 1000)
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", bare):
        return int(re.sub(r"[.,]", "", bare))
    return round(float(bare.replace(",", ".")))
