"""What anyone pushes to the list is accepted: into which lane, under whose account, and once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.messages import OutgoingMessage
from orchestrator.account_names import AccountNames
from orchestrator.manifests import Manifest
from orchestrator.store import outbound
from tests.integration.test_deliver import Post, opened, outgoing
from tests.integration.test_resolve_scene import message


@pytest.fixture
async def post(redis_url: str, database_url: str) -> AsyncIterator[Post]:
    async with opened(redis_url, database_url) as made:
        yield made


async def lanes(post: Post) -> list[tuple[Any, ...]]:
    return await post.here.rows("SELECT text, lane, flow FROM outbound ORDER BY seq")


async def test_an_answer_is_told_from_what_nobody_asked_for(post: Post) -> None:
    """A program that answers by the list is as fast as an agent; one that writes to all its chats is not."""
    await post.here.resolve(message("1", chat="asked"))
    await post.queue(outgoing("answer", "asked"), outgoing("news", "stranger"))
    await post.accept()
    await post.queue(outgoing("more news", "asked"))
    await post.accept()

    assert sorted(await lanes(post)) == [
        ("answer", 0, ""),
        ("more news", 2, "list"),
        ("news", 2, "list"),
    ]


async def test_a_question_of_yesterday_is_waited_for_no_longer(post: Post) -> None:
    await post.here.resolve(message("1", chat="asked"))
    await post.wait(2 * 3600)
    await post.queue(outgoing("news", "asked"))
    await post.accept()

    assert await lanes(post) == [("news", 2, "list")]


class Told:
    """Manifests as a channel tells them; None: it cannot be asked."""

    def __init__(self, *accounts: str) -> None:
        self.manifest: Manifest | None = Manifest(accounts=accounts) if accounts else None

    async def of(self, channel: str) -> Manifest | None:
        return self.manifest


@pytest.mark.promise("no-mixing")
@pytest.mark.parametrize(
    ("accounts", "given", "named"),
    [
        (("shop",), "default", "shop"),
        (("default",), "default", "default"),
        (("default", "shop"), "default", "default"),
        (("shop", "second"), "default", "default"),
        (("shop",), "second", "second"),
        ((), "default", "default"),
    ],
)
async def test_the_only_account_is_recorded_under_its_own_name(
    accounts: tuple[str, ...], given: str, named: str
) -> None:
    """Else its messages would stand beside those that its customers wrote."""
    names = AccountNames(Told(*accounts), {"avito"})

    assert (await names.named(outgoing(account=given))).account == named


@pytest.mark.promise("idempotent")
async def test_a_retry_is_the_same_message_whether_or_not_the_name_was_known(post: Post) -> None:
    """The channel could not be asked the first time."""
    told = Told()
    names = AccountNames(told, {"avito"})

    async def accept() -> tuple[OutgoingMessage, bool]:
        named = await names.named(outgoing(idempotency_key="k"))
        made = await outbound.insert_outbound(post.here.pool, named, origin="tool", now=post.here.now)
        return named, made.created

    _, first = await accept()
    told.manifest = Manifest(accounts=("shop",))
    named, second = await accept()
    told.manifest = None
    _, third = await accept()

    assert (named.account, first, second, third) == ("shop", True, False, False)
