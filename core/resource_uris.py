"""How resources are called, at the hub and at the channels. What stands in a place is encoded (RFC 6570).

A chat of the account `default`, or of the only account that a channel has, needs no account in its name.
"""

import re
from urllib.parse import quote

APPEAL = "appeal://{id}"
CLIENT = "client://{id}"
CHAT = "chat://{channel}/{chat_id}"
ACCOUNT_CHAT = "chat://{channel}/{account}/{chat_id}"
CAPABILITIES = "channel://{channel}/capabilities"

PLACEHOLDER = re.compile(r"{(\w+)}")


def of_channel(template: str, channel: str) -> str:
    """The same at a server that is of one channel."""
    return template.replace("{channel}", channel)


def filled(template: str, **given: str) -> str:
    """The template with these in their places, encoded."""
    return PLACEHOLDER.sub(lambda found: quote(given[found[1]], safe=""), template)
