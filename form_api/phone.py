"""Phone numbers as people write them, in E.164."""

import phonenumbers


def to_e164(text: str, region: str) -> str | None:
    """`8 (900) 123-45-67` in RU -> `+79001234567`; None when it is not a number anybody can have."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
