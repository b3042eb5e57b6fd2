"""Whom a call is about: peers, our own group (contract §1, §3.1)."""

from sandbox.vk.community import CHATS_FROM, Community, Dialog
from sandbox.vk.errors import fail, wrong
from sandbox.vk.params import Params

MOST_PEERS = 100


def peers_of(community: Community, params: Params) -> tuple[list[int], bool]:
    """The peers to send to, and whether the array form (`peer_ids`, `user_ids`) was used."""
    for name in ("peer_ids", "user_ids"):
        if many := params.numbers(name, most=MOST_PEERS):
            return list(dict.fromkeys(many)), True
    return [peer_of(community, params)], False


def peer_of(community: Community, params: Params) -> int:
    """The one peer of `peer_id`, `user_id`, `chat_id` or `domain`."""
    if params.text("peer_id"):
        return params.number("peer_id")
    if params.text("user_id"):
        return _user(params.number("user_id"))
    if params.text("chat_id"):
        return CHATS_FROM + params.number("chat_id", bounds=(1, 100_000_000))
    if domain := params.text("domain"):
        user = community.by_domain(domain)
        return user.id if user else wrong("domain is invalid")
    return wrong("you should specify peer_id, user_id, domain, chat_id or user_ids param")


def _user(number: int) -> int:
    if not 0 < number < CHATS_FROM:
        fail(113)
    return number


def dialog_of(community: Community, peer_id: int) -> Dialog:
    """The dialog of a peer: 927 for an unknown chat, 936 for an unknown user, 932 for a community."""
    if peer_id > CHATS_FROM and peer_id not in community.dialogs:
        fail(927)
    if peer_id <= 0:
        fail(932)
    if peer_id < CHATS_FROM and peer_id not in community.users:
        fail(936)
    return community.dialog(peer_id)


def check_group(community: Community, params: Params, *, needed: bool = False) -> None:
    """`group_id` must be ours: 100 when needed and missing, 125 for no id, 203 for another community."""
    if not params.text("group_id"):
        if needed:
            wrong("group_id is a required parameter")
        return
    number = params.number("group_id")
    if number <= 0:
        fail(125)
    if number != community.id:
        fail(203)
