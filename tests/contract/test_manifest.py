"""The manifest tells the truth: what a channel says it can do, it has, and its service offers no more."""

from pathlib import Path

import pytest

from core import channel as contract
from core.capabilities import MediaKind
from tests.contract.service import KEY, served
from tests.contract.vendor_side import VendorSide

SENDS: dict[MediaKind, type[object]] = {
    "image": contract.SendsImages,
    "voice": contract.SendsVoice,
    "video": contract.SendsVideos,
    "document": contract.SendsDocuments,
}
OPERATIONS: dict[str, type[object]] = {
    "send_image": contract.SendsImages,
    "edit_message": contract.EditsMessages,
    "delete_message": contract.DeletesMessages,
    "list_messages": contract.KeepsHistory,
    "mark_read": contract.MarksRead,
    "show_typing": contract.ShowsTyping,
    "react": contract.Reacts,
    "get_profile": contract.KnowsProfiles,
    "subscribe_webhook": contract.Subscribes,
}


@pytest.mark.parametrize("kind", SENDS)
def test_media_that_can_be_sent_have_limits(vendor: VendorSide, kind: MediaKind) -> None:
    channel = vendor.channel

    assert isinstance(channel, SENDS[kind]) == (kind in channel.capabilities.media)


def test_buttons_have_limits(vendor: VendorSide) -> None:
    limits = vendor.channel.capabilities

    assert isinstance(vendor.channel, contract.SendsButtons) == (limits.most_buttons > 0)
    assert (limits.button_limit > 0) == (limits.most_buttons > 0)


def test_windows_belong_to_what_can_be_done(vendor: VendorSide) -> None:
    channel, limits = vendor.channel, vendor.channel.capabilities

    assert isinstance(channel, contract.EditsMessages) or limits.edit_window_seconds is None
    assert isinstance(channel, contract.DeletesMessages) or limits.delete_window_seconds is None
    assert isinstance(channel, contract.OpensChats) <= limits.starts_chats


def test_rates_are_told(vendor: VendorSide) -> None:
    assert vendor.channel.capabilities.rates


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_is_there_when_the_channel_can(
    vendor: VendorSide, redis_url: str, tmp_path: Path, operation: str
) -> None:
    async with served(vendor, redis_url, tmp_path) as door:
        document = (await door.client.get("/openapi.json", headers={"X-API-Key": KEY})).json()

    names = {one.get("operationId") for path in document["paths"].values() for one in path.values()}
    assert (operation in names) == isinstance(vendor.channel, OPERATIONS[operation])
