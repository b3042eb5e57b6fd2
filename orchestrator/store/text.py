"""Words that PostgreSQL can hold."""

from core.jsontext import without_surrogates
from core.messages import NUL


def storable(text: str) -> str:
    """The text without NUL and half characters: for names and reasons, where a lost sign does no harm."""
    return without_surrogates(text.replace(NUL, ""))
