"""Phone numbers in what people write. Pure."""

import re
from collections.abc import Iterable

import phonenumbers

_E164 = re.compile(r"^\+[1-9]\d{6,14}$")
#: What may hold a number at all; looking closer costs a hundred times more.
_DIGITS = re.compile(r"\d(?:[\s().-]*\d){9}")
_LONGEST_TEXT = 2000
_MOST = 5
#: The country of numbers written without its code; those with a code are read whatever it is.
_HOME = "RU"


def is_e164(phone: str | None) -> bool:
    """Whether a phone is exact enough to tell people apart by it."""
    return bool(phone and _E164.match(phone))


def phones_in(texts: Iterable[str]) -> list[str]:
    """The numbers that stand in the texts, E.164, five at most: "8 916 123-45-67" -> +79161234567."""
    found: dict[str, None] = {}
    for text in texts:
        if _DIGITS.search(text):
            for match in phonenumbers.PhoneNumberMatcher(text[:_LONGEST_TEXT], _HOME):
                found[phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)] = None
    return list(found)[:_MOST]
