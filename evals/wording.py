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
_SUM = re.compile(rf"({_NUMBER})[{_SPACES}]*(тыс\w*\.?|к\b|k\b)?[{_SPACES}]*(?:{_ROUBLES})", re.IGNORECASE)


def language_of(text: str) -> Language | None:
    """The language that most letters are of; None when there are none."""
    bare = _OF_NO_LANGUAGE.sub("", text)
    russian, english = len(_CYRILLIC.findall(bare)), len(_LATIN.findall(bare))
    if russian == english:
        return None
    return "ru" if russian > english else "en"


def sums(text: str) -> list[int]:
    """Every sum in roubles: "от 3 500 ₽" -> [3500], "2,5 тыс. руб." -> [2500]."""
    return [_roubles(number, thousands) for number, thousands in _SUM.findall(text)]


def _roubles(number: str, thousands: str) -> int:
    bare = re.sub(rf"[{_SPACES}]", "", number)
    if thousands:
        return round(float(bare.replace(",", ".")) * 1000)
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", bare):
        return int(re.sub(r"[.,]", "", bare))
    return round(float(bare.replace(",", ".")))
