"""One name for each resource, however its watchers write it: chat://avito/a@b is chat://avito/default/a%40b."""

from collections.abc import Awaitable, Callable

from mcp.shared.uri_template import UriTemplate

from core.resource_uris import ACCOUNT_CHAT, APPEAL, CAPABILITIES, CHAT, CLIENT, filled

#: The own name of the account of a channel that is written so; "default" where none is written.
NamesAccount = Callable[[str, str], Awaitable[str]]
#: From what a watcher writes to the one name.
OwnName = Callable[[str], Awaitable[str]]

_CHAT, _ACCOUNT_CHAT = UriTemplate.parse(CHAT), UriTemplate.parse(ACCOUNT_CHAT)
_OTHERS = {template: UriTemplate.parse(template) for template in (APPEAL, CLIENT, CAPABILITIES)}


async def as_written(uri: str) -> str:
    """For servers whose resources have one name only."""
    return uri


def chat_name(channel: str, account: str, chat_id: str) -> str:
    """The one name of a chat."""
    return filled(ACCOUNT_CHAT, channel=channel, account=account, chat_id=chat_id)


def own_names(account: NamesAccount) -> OwnName:
    """By the names of accounts; what is none of our resources stays as it is written."""

    async def own_name(uri: str) -> str:
        if chat := _ACCOUNT_CHAT.match(uri) or _CHAT.match(uri):
            channel, written = str(chat["channel"]), str(chat.get("account", "default"))
            return chat_name(channel, await account(channel, written), str(chat["chat_id"]))
        for template, parsed in _OTHERS.items():
            if places := parsed.match(uri):
                return filled(template, **{name: str(value) for name, value in places.items()})
        return uri

    return own_name
