"""What the watchdog sees of an account, what it mends, and what it leaves to people."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from core.capabilities import Capabilities
from core.channel import Channel, TokenStatus, Trouble, WebhookStatus
from core.errors import (
    AuthFailed,
    ChannelError,
    OutcomeUnknown,
    PlanRequired,
    RateLimited,
    Rejected,
    SessionLost,
    VendorDown,
)
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.observability import Metrics
from core.testing import FAKE_LIMITS, FakeChannel
from core.watchdog import AccountState, Watchdog
from tests.integration.chats_fixture import ManualClock

OURS = "https://bot.example.test"


class WatchedChannel(FakeChannel):
    """A messenger whose subscription, token and troubles the test decides."""

    def __init__(self, capabilities: Capabilities = FAKE_LIMITS) -> None:
        super().__init__(capabilities=capabilities)
        self.urls: list[str] = [f"{OURS}/webhook/avito/default"]
        self.asked: list[str] = []
        self.error: ChannelError | None = None
        self.refusal: ChannelError | None = None
        self.renewal: ChannelError | None = None
        self.own: Sequence[Trouble] = ()
        self.renew_at = ""
        self.refreshed = 0

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        self.asked.append(url)
        if self.refusal:
            raise self.refusal
        self.urls.append(url)
        return await self.webhook_status()

    async def webhook_status(self) -> WebhookStatus:
        if self.error:
            raise self.error
        return WebhookStatus(subscribed=any(OURS in url for url in self.urls), urls=self.urls)

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        self.urls.remove(url)
        return await self.webhook_status()

    async def token_status(self) -> TokenStatus:
        return TokenStatus(valid=True, expires_at="2027-01-20T00:00:00+00:00", renew_at=self.renew_at)

    async def refresh_token(self) -> TokenStatus:
        self.refreshed += 1
        if self.renewal:
            raise self.renewal
        return await self.token_status()

    async def troubles(self) -> Sequence[Trouble]:
        return self.own


class Yard:
    """One account under watch."""

    def __init__(self, channel: FakeChannel, public_url: str = "") -> None:
        self.metrics = Metrics()
        self.clock = ManualClock()
        self.may = True
        self.dog = Watchdog(
            {DEFAULT_ACCOUNT: channel},
            clock=self.clock,
            metrics=self.metrics,
            may_subscribe=self._may_subscribe,
            public_url=public_url,
        )

    async def _may_subscribe(self, channel: Channel) -> bool:
        return self.may

    async def look(self) -> AccountState:
        return await self.dog.look(DEFAULT_ACCOUNT)

    async def codes(self) -> list[str]:
        return [trouble.code for trouble in (await self.look()).troubles]


def test_before_the_first_look_nothing_is_claimed() -> None:
    assert Yard(WatchedChannel()).dog.health() == {"default": {"healthy": None, "troubles": []}}


async def test_an_account_that_is_subscribed_is_healthy() -> None:
    yard = Yard(WatchedChannel())
    state = await yard.look()

    assert (state.healthy, state.troubles) == (True, ())
    assert state.checked_at
    assert 'account_healthy{account="default",channel="avito"} 1.0' in yard.metrics.exposition()[0].decode()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthFailed(), "credentials_refused"),
        (PlanRequired(), "plan_required"),
        (SessionLost(), "session_lost"),
        (VendorDown(), "vendor_down"),
        (OutcomeUnknown(), "vendor_down"),
    ],
)
async def test_what_the_vendor_refuses_is_told_as_a_trouble(error: ChannelError, code: str) -> None:
    channel = WatchedChannel()
    channel.error = error
    yard = Yard(channel)

    assert await yard.codes() == [code]
    assert yard.dog.health()["default"] == {"healthy": False, "troubles": [code]}
    assert f'code="{code}"}} 1.0' in yard.metrics.exposition()[0].decode()


async def test_a_trouble_that_is_over_is_over_in_the_metrics_too() -> None:
    channel = WatchedChannel()
    channel.error = VendorDown()
    yard = Yard(channel)
    await yard.look()
    channel.error = None

    assert await yard.codes() == []
    assert 'code="vendor_down"} 0.0' in yard.metrics.exposition()[0].decode()


async def test_a_busy_vendor_is_no_trouble() -> None:
    channel = WatchedChannel()
    channel.error = RateLimited(retry_after=5)

    assert await Yard(channel).codes() == []


async def test_a_lost_subscription_is_made_again() -> None:
    channel = WatchedChannel()
    channel.urls = []

    assert await Yard(channel, OURS).codes() == []
    assert channel.asked == [f"{OURS}/webhook/avito/default"]


async def test_a_replica_leaves_the_subscription_to_the_one_that_makes_it() -> None:
    """Two at once would leave two subscriptions with some vendors."""
    channel = WatchedChannel()
    channel.urls = []
    yard = Yard(channel, OURS)
    yard.may = False

    assert await yard.codes() == ["not_subscribed"]
    assert channel.asked == []


async def test_without_an_address_of_ours_a_lost_subscription_is_told() -> None:
    channel = WatchedChannel()
    channel.urls = []

    assert await Yard(channel).codes() == ["not_subscribed"]
    assert channel.asked == []


async def test_a_foreign_address_is_not_taken_over_where_there_is_one_place() -> None:
    channel = WatchedChannel(FAKE_LIMITS.model_copy(update={"webhook_slots": "one"}))
    channel.urls = ["https://crm.example.test/hook"]

    assert await Yard(channel, OURS).codes() == ["not_subscribed"]
    assert channel.urls == ["https://crm.example.test/hook"]


async def test_a_foreign_address_beside_ours_disturbs_nobody() -> None:
    channel = WatchedChannel()
    channel.urls = ["https://crm.example.test/hook"]

    assert await Yard(channel, OURS).codes() == []
    assert channel.urls == ["https://crm.example.test/hook", f"{OURS}/webhook/avito/default"]


async def test_an_address_that_the_vendor_refuses_is_told_with_its_words() -> None:
    channel = WatchedChannel()
    channel.urls, channel.refusal = [], Rejected("port 8765 is not allowed.")
    [trouble] = (await Yard(channel, OURS).look()).troubles

    assert trouble.code == "not_subscribed"
    assert "port 8765 is not allowed" in trouble.detail


async def test_a_token_is_refreshed_when_its_time_has_come() -> None:
    channel = WatchedChannel()
    yard = Yard(channel)
    now = datetime.fromtimestamp(yard.clock.now_ms() / 1000, UTC)
    channel.renew_at = (now + timedelta(minutes=1)).isoformat()
    await yard.look()
    early = channel.refreshed
    yard.clock.move(61_000)
    await yard.look()

    assert (early, channel.refreshed) == (0, 1)


async def test_a_token_that_cannot_be_refreshed_is_told_in_time() -> None:
    channel = WatchedChannel()
    channel.renew_at, channel.renewal = "2020-01-01T00:00:00+00:00", VendorDown("no answer.")

    assert await Yard(channel).codes() == ["token_expiring"]


async def test_what_only_the_vendor_can_tell_is_told() -> None:
    channel = WatchedChannel()
    channel.own = [Trouble(code="payment_due", detail="Paid until tomorrow.")]

    assert await Yard(channel).codes() == ["payment_due"]


async def test_a_look_that_breaks_is_a_trouble_and_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    channel = WatchedChannel()
    channel.renew_at = "never"

    assert await Yard(channel).codes() == ["vendor_down"]


async def test_a_channel_without_subscriptions_is_asked_whether_it_is_up() -> None:
    channel = FakeChannel()
    yard = Yard(channel)
    before = await yard.codes()
    channel.up = False

    assert (before, await yard.codes()) == ([], ["vendor_down"])


class CountedChannel(WatchedChannel):
    """Tells each look; while it may not answer, a look takes as long as looks may."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: asyncio.Queue[None] = asyncio.Queue()
        self.may_answer = asyncio.Event()

    async def webhook_status(self) -> WebhookStatus:
        self.looks.put_nowait(None)
        await self.may_answer.wait()
        return await super().webhook_status()


async def test_an_account_whose_vendor_hangs_does_not_keep_the_others_from_being_looked_at() -> None:
    hanging, well = CountedChannel(), CountedChannel()
    well.may_answer.set()
    clock = ManualClock()

    async def may_subscribe(channel: Channel) -> bool:
        return True

    dog = Watchdog(
        {DEFAULT_ACCOUNT: hanging, AccountId("second"): well},
        clock=clock,
        metrics=Metrics(),
        may_subscribe=may_subscribe,
    )
    watching = asyncio.create_task(dog.run())
    async with asyncio.timeout(5):
        for _ in range(3):
            await well.looks.get()
            clock.move(60_000)
    watching.cancel()

    assert hanging.looks.qsize() == 1
