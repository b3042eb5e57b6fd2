"""A send to VK in doubt, through the real Sender: VK may forget a random_id after an hour or 100 messages."""

import pytest
from redis.asyncio import Redis

from core.attempts import Attempts
from core.echoes import Echoes
from core.errors import OutcomeUnknown
from core.ids import ChatId
from core.keys import Keys
from core.sending import Sender
from tests.contract.vk_side import REPEAT_MESSAGES, REPEAT_SECONDS, VkSide
from tests.integration.chats_fixture import ManualClock

ANNA = ChatId("77001")


@pytest.mark.parametrize(
    ("later", "busy"),
    [
        *((60, 0), (60, 3), (REPEAT_SECONDS // 2, REPEAT_MESSAGES + 1)),
        *((REPEAT_SECONDS - 30, 3), (REPEAT_SECONDS + 60, 3), (86_400, 3)),
    ],
)
async def test_a_lost_answer_is_sent_once_however_late_the_repeat(
    redis_url: str, later: int, busy: int
) -> None:
    """A call may also wait a minute for its turn, so the last minutes of the hour are not trusted."""
    vk, keys = VkSide(), Keys()
    clock = ManualClock(round(vk.time.now * 1000))
    async with Redis.from_url(redis_url) as redis:
        sender = Sender(vk.channel, Attempts(redis, keys, clock), Echoes(redis, keys))
        vk.lose_answers("timeout")
        with pytest.raises(OutcomeUnknown):
            await sender.send_text(ANNA, "Ровно один раз", "key-1")
        vk.lose_answers("")
        for number in range(busy):
            await sender.send_text(ANNA, f"Дальше {number}", f"other-{number}")
        clock.move(later * 1000)
        vk.time.now += later + 60

        sent = await sender.send_text(ANNA, "Ровно один раз", "key-1")

    assert [text for _, text in vk.taken].count("Ровно один раз") == 1
    assert sent.message_ids == ("77001:19",)
    assert len(vk.taken) == 1 + busy
