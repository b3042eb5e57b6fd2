"""Which tools a service shows to models: `core`, a dozen that a conversation needs, or `all`.

It is about the tool list only: REST has every operation in both. A long list costs tokens in every
conversation, and models choose worse from it. The setting MCP_PROFILE is the same for every caller.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from core.operations import Operation

Profile = Literal["core", "all"]

#: Of every channel; a messenger that cannot do one of them has one less.
CHANNEL_CORE = frozenset(
    {
        "list_chats",
        "get_chat",
        "list_messages",
        "send_message",
        "send_image",
        "send_file",
        "send_bulk",
        "edit_message",
        "mark_read",
        "subscribe_webhook",
        "webhook_status",
        "unsubscribe_webhook",
    }
)


def shown(operations: Sequence[Operation], profile: Profile, core: Collection[str]) -> list[Operation]:
    """Those of the operations that models are shown."""
    return [one for one in operations if one.tool and (profile == "all" or one.name in core)]
