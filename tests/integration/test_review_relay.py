"""The relay pushes anew what Redis has lost, and only that."""

from datetime import timedelta

from orchestrator.store import outbound, outbox
from orchestrator.store.outbound import Failure
from orchestrator.store.outbox import Window
from tests.integration.test_outbox import accepted, outgoing
from tests.integration.test_resolve_scene import scene


async def test_a_chat_that_waits_for_its_vendor_is_not_pushed_again(database_url: str) -> None:
    """Each copy of a message that is given up at last would be one more attempt and one more dead letter."""
    async with scene(database_url) as here:
        head, behind = [await accepted(here, outgoing(text)) for text in ("1", "2")]
        elsewhere = await accepted(here, outgoing("3", "chat-2"))
        await outbox.mark_queued(here.pool, [head, behind, elsewhere], now=here.now)
        for _ in range(4):
            here.pass_time(300)
            await outbound.begin_sending(here.pool, head, now=here.now)
            await outbound.mark_retry(here.pool, head, Failure("vendor_down", ""), now=here.now)
        quarter = timedelta(minutes=15)

        assert await outbox.unqueue_stale(here.pool, before=here.now - quarter) == 1
        assert [one.id for one in await outbox.unqueued(here.pool, Window())] == [elsewhere]

        here.pass_time(901)
        await outbox.mark_queued(here.pool, [elsewhere], now=here.now)
        assert await outbox.unqueue_stale(here.pool, before=here.now - quarter) == 2
        assert [one.id for one in await outbox.unqueued(here.pool, Window())] == [head, behind]
