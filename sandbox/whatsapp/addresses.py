"""Recipients and chat ids as callers write them (contract §2.1). Pure."""

import re

_PERSON = re.compile(r"(\d{5,15})(@c\.us|@s\.whatsapp\.net)?")
_GROUP = re.compile(r"\d{5,20}(-\d{5,15})?@g\.us")


def canonical(written: str) -> str | None:
    """`digits@c.us` or `…@g.us`; None when it is neither: no plus, no brackets, no spaces are taken."""
    if person := _PERSON.fullmatch(written):
        return f"{person[1]}@c.us"
    return written if is_group(written) else None


def is_group(written: str) -> bool:
    return _GROUP.fullmatch(written) is not None


def digits(chat_id: str) -> str:
    return chat_id.partition("@")[0]


def is_never_delivered(chat_id: str) -> bool:
    """Eleven digits that begin with 8: taken, and not delivered (contract §2.1, §9.9)."""
    return chat_id.endswith("@c.us") and len(digits(chat_id)) == 11 and chat_id.startswith("8")


def restyled(chat_id: str, suffix: str) -> str:
    """A contact's id with the suffix of newer answers; groups keep theirs."""
    return f"{digits(chat_id)}@{suffix}" if chat_id.endswith("@c.us") else chat_id
