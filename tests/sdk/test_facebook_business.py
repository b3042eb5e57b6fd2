"""facebook_business, Meta's own SDK, calls the simulated Instagram; it brings cursors and Meta's errors.

Its classes know Pages and ads, not messages of Instagram Login, so they go through its
generic call; it has no webhook parser. The address is its own attribute, `FacebookSession.GRAPH`.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from facebook_business.adobjects.abstractcrudobject import AbstractCrudObject
from facebook_business.adobjects.iguser import IGUser
from facebook_business.api import Cursor, FacebookAdsApi, FacebookRequest
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from pydantic import SecretStr

from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.vendor import InstagramVendor
from tests.sdk.serving import Served, served

TOKEN = "IGAA-the-token"
APP_SECRET = "the-app-secret"
BUSINESS, APP_SCOPED = "17841400000000001", "28900000000000001"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    settings = InstagramSandboxSettings(
        access_token=SecretStr(TOKEN),
        app_secret=SecretStr(APP_SECRET),
        verify_token=SecretStr("the-verify-token"),
        reads_per_second=1000,
        page_size=2,
    )
    async with served("instagram", lambda bench: InstagramVendor(settings, bench)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def instagram(server: Served) -> Served:
    return await server.renewed()


@pytest.fixture
def graph(instagram: Served) -> "Graph":
    return Graph(instagram)


class Graph:
    """The SDK's generic request, which is synchronous, in a thread."""

    def __init__(self, instagram: Served, token: str = TOKEN) -> None:
        session = FacebookSession(access_token=token, timeout=5)
        session.GRAPH = instagram.url
        session.requests.trust_env = False
        self.api = FacebookAdsApi(session, api_version="v26.0")

    async def ask(self, method: str, *path: str, **params: Any) -> Any:
        """One call, its answer as JSON."""
        answer = await asyncio.to_thread(self.api.call, method, path, params)
        return answer.json()

    async def walk(self, node: str, edge: str, **params: Any) -> Cursor:
        """The SDK's cursor over an edge, with its first page."""
        request = FacebookRequest(
            node, "GET", f"/{edge}", api=self.api, api_type="EDGE", target_class=AbstractCrudObject
        )
        cursor: Cursor = await asyncio.to_thread(request.add_params(params).execute)
        return cursor

    async def send(self, customer: str, **more: Any) -> Any:
        return await self.ask("POST", "me", "messages", recipient={"id": customer}, **more)


async def test_the_account_knows_itself(graph: Graph) -> None:
    me = await asyncio.to_thread(IGUser("me", api=graph.api).api_get, ["id", "username", "name"])
    assert (me["id"], me["username"]) == (APP_SCOPED, "eldorado_remont")
    assert (await graph.ask("GET", "me", fields="user_id"))["user_id"] == BUSINESS


async def test_a_text_with_quick_replies_is_sent_from_a_form(graph: Graph, instagram: Served) -> None:
    chat = str((await instagram.write(text="Сколько стоит экран?"))["chat_id"])
    replies = [{"content_type": "text", "title": "Выезд", "payload": "visit"}]
    sent = await graph.send(
        chat, message={"text": "Где удобнее?", "quick_replies": replies}, messaging_type="RESPONSE"
    )
    assert (sent["recipient_id"], bool(sent["message_id"])) == (chat, True)
    assert (await instagram.seen())[-1]["text"] == "Где удобнее?"


async def test_typing_is_shown(graph: Graph, instagram: Served) -> None:
    chat = str((await instagram.write(text="ау"))["chat_id"])
    shown = await graph.send(chat, sender_action="typing_on")
    assert shown["recipient_id"] == chat
    assert "message_id" not in shown


async def test_conversations_are_walked_page_by_page(graph: Graph, instagram: Served) -> None:
    customers = ("Анна", "Борис", "Марина", "Пётр", "Ольга")
    for customer in customers:
        await instagram.write(customer, text=f"Я {customer}")
    cursor = await graph.walk("me", "conversations", platform="instagram", fields="id,updated_time")
    assert len(cursor) == 2  # the first page
    threads = await asyncio.to_thread(list, cursor)
    assert len({thread["id"] for thread in threads}) == len(customers)
    said = set()
    for thread in threads:
        shown = await graph.ask("GET", thread["id"], fields="messages{message,from,created_time}")
        said.add(shown["messages"]["data"][0]["message"])
    assert said == {f"Я {customer}" for customer in customers}


async def test_a_customer_has_a_profile(graph: Graph, instagram: Served) -> None:
    chat = str((await instagram.write(text="ау"))["chat_id"])
    person = await graph.ask("GET", chat, fields="name,username,profile_pic,is_user_follow_business")
    assert person["name"] == "Анна"


async def test_subscriptions_are_made_listed_and_ended(graph: Graph) -> None:
    made = await graph.ask("POST", "me", "subscribed_apps", subscribed_fields="messages,messaging_seen")
    assert made["success"] is True
    [app] = await asyncio.to_thread(list, await graph.walk("me", "subscribed_apps"))
    assert set(app["subscribed_fields"]) == {"messages", "messaging_seen"}
    assert (await graph.ask("DELETE", "me", "subscribed_apps"))["success"] is True


async def test_refusals_become_requests_errors_with_their_codes(graph: Graph, instagram: Served) -> None:
    chat = str((await instagram.write(text="ау"))["chat_id"])
    stranger = await refusal(graph.send("somebody", message={"text": "ау"}))
    assert stranger == (400, 100, 2534014, "IGApiException")
    assert (await refusal(graph.send(chat, message={"text": "я" * 501})))[:2] == (400, 100)
    assert (await refusal(Graph(instagram, "IGAA-wrong").ask("GET", "me")))[1] == 190
    await instagram.fault(rate_limit={"retry_after": 7})
    limited = await refusal(graph.ask("GET", "me"))
    assert limited[1] in {4, 613, 80002}
    await instagram.write(type="block")
    assert (await refusal(graph.send(chat, message={"text": "ау"})))[1] == 551


async def refusal(call: Any) -> tuple[int, int, int | None, str]:
    with pytest.raises(FacebookRequestError) as caught:
        await call
    error = caught.value
    return error.http_status(), error.api_error_code(), error.api_error_subcode(), error.api_error_type()


async def test_a_transient_error_says_so(graph: Graph, instagram: Served) -> None:
    await instagram.fault(error={"code": 2, "status": 500})
    with pytest.raises(FacebookRequestError) as caught:
        await graph.ask("GET", "me")
    assert caught.value.api_transient_error()


async def test_a_webhook_is_signed_over_its_bytes(graph: Graph, instagram: Served) -> None:
    """The SDK has no parser for webhooks: only the signature, by Meta's own recipe, is checked here."""
    callback = {"callback_url": instagram.mailbox.url}
    told = await instagram.web.post("/instagram/_sandbox/webhook", json=callback)
    assert told.status_code == 200, told.text
    await graph.ask("POST", "me", "subscribed_apps", subscribed_fields="messages")
    await instagram.write(text="Здравствуйте")
    delivery = await instagram.mailbox.take()
    digest = hmac.new(APP_SECRET.encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["x-hub-signature-256"] == f"sha256={digest}"
    [message] = delivery.json["entry"][0]["messaging"]
    assert message["message"]["text"] == "Здравствуйте"
