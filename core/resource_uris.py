"""How resources are called, at the hub and at the channels. What stands in a place is encoded (RFC 6570).

A chat of the account `default`, or of the only account that a channel has, needs no account in its name.
"""

APPEAL = "appeal://{id}"
CLIENT = "client://{id}"
CHAT = "chat://{channel}/{chat_id}"
ACCOUNT_CHAT = "chat://{channel}/{account}/{chat_id}"
CAPABILITIES = "channel://{channel}/capabilities"


def of_channel(template: str, channel: str) -> str:
    """The same at a server that is of one channel."""
    return template.replace("{channel}", channel)
