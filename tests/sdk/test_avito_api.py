"""avito-api calls the simulated Avito; its models follow Avito's OpenAPI files. The address is its setting.

One thing in it disagrees with the vendor's contract: its `send_message` wants an `author_id` in the answer
to a text, and Avito's answer has none (contract §3.5). The text is sent, then the SDK cannot read the answer.
"""

from collections.abc import AsyncIterator

import pydantic
import pytest
import pytest_asyncio
from avito_api.config import ApiConfig, ClientConfig
from avito_api.exceptions import AuthError, AvitoApiError, ForbiddenError, NotFoundError, RateLimitError
from avito_api.messenger import AsyncMessengerClient
from avito_api.messenger.models import WebhookMessage
from avito_api.user import AsyncUserClient

from sandbox.avito.samples import SAMPLES
from sandbox.media import made_up_picture
from tests.sdk.serving import CLIENT_ID, CLIENT_SECRET, Served, served

ACCOUNT = 701_000_001
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK serialises its requests with the name that pydantic 1 had for it.
    pytest.mark.filterwarnings("ignore:The `dict` method is deprecated:DeprecationWarning"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Served]:
    async with served("avito") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def avito(server: Served) -> Served:
    return await server.renewed()


@pytest.fixture
def messenger(avito: Served) -> AsyncMessengerClient:
    return AsyncMessengerClient(CLIENT_ID, CLIENT_SECRET, config=config_of(avito))


def config_of(avito: Served) -> ClientConfig:
    return ClientConfig(api=ApiConfig(base_url=avito.url, timeout=5, max_retries=0))


async def test_the_account_knows_itself(avito: Served) -> None:
    account = await AsyncUserClient(CLIENT_ID, CLIENT_SECRET, config=config_of(avito)).get_account()
    assert (account.id, account.name) == (ACCOUNT, "Мастерская «Эльдорадо»")


async def test_chats_are_listed_and_shown(messenger: AsyncMessengerClient, avito: Served) -> None:
    chat_id = str((await avito.write(text="Сколько стоит экран?", ad=3_550_001_234))["chat_id"])
    found = await messenger.get_chats(ACCOUNT, unread_only=True, chat_types=["u2i", "u2u"])
    assert [chat.id for chat in found.chats] == [chat_id]
    chat = await messenger.get_chat(ACCOUNT, chat_id)
    assert chat.context is not None
    assert chat.context.value.title == "Замена экрана iPhone"
    assert "Анна" in {user.name for user in chat.users}
    assert chat.last_message.content.text == "Сколько стоит экран?"


async def test_a_text_is_taken_though_its_answer_lacks_what_the_sdk_wants(
    messenger: AsyncMessengerClient, avito: Served
) -> None:
    chat = str((await avito.write(text="ау"))["chat_id"])
    with pytest.raises(pydantic.ValidationError) as caught:
        await messenger.send_message(ACCOUNT, chat, "От 1500 ₽")
    assert [error["loc"] for error in caught.value.errors()] == [("author_id",)]
    assert (await avito.seen())[-1]["text"] == "От 1500 ₽"


async def test_a_picture_is_uploaded_and_sent(messenger: AsyncMessengerClient, avito: Served) -> None:
    chat = str((await avito.write(text="ау"))["chat_id"])
    [image] = await messenger.upload_image(ACCOUNT, made_up_picture().content)
    sent = await messenger.send_image_message(ACCOUNT, chat, image)
    assert (sent.type.value, sent.direction.value, sent.author_id) == ("image", "out", ACCOUNT)
    assert sent.content.image is not None
    assert "640x480" in sent.content.image.sizes


async def test_the_history_has_every_type_of_message(messenger: AsyncMessengerClient, avito: Served) -> None:
    chat = str((await avito.write(text="ау"))["chat_id"])
    for kind in (*SAMPLES, "image", "voice"):
        await avito.write(type=kind, chat=chat)
    history = (await messenger.get_messages(ACCOUNT, chat)).messages
    assert [message.type.value for message in history] == ["voice", "image", *reversed(SAMPLES), "text"]
    note = history[0].content.voice
    assert note is not None
    link = (await messenger.get_voice_files(ACCOUNT, [note.voice_id])).voices_urls[note.voice_id]
    assert (await avito.web.get(link)).status_code == 200


async def test_a_quoted_message_is_shown(messenger: AsyncMessengerClient, avito: Served) -> None:
    first = await avito.write(text="Сколько стоит экран?")
    await avito.write(text="Ау", chat=first["chat_id"], quote=first["message_ids"][0])
    newest = (await messenger.get_messages(ACCOUNT, first["chat_id"], limit=1)).messages[0]
    assert newest.quote is not None
    assert newest.quote.content.text == "Сколько стоит экран?"


async def test_a_chat_is_read_and_a_message_deleted(messenger: AsyncMessengerClient, avito: Served) -> None:
    chat = str((await avito.write(text="ау"))["chat_id"])
    assert (await messenger.mark_chat_as_read(ACCOUNT, chat)).ok
    [image] = await messenger.upload_image(ACCOUNT, made_up_picture().content)
    sent = await messenger.send_image_message(ACCOUNT, chat, image)
    await messenger.delete_message(ACCOUNT, chat, sent.id)
    gone, said = (await messenger.get_messages(ACCOUNT, chat)).messages
    assert (gone.type.value, said.is_read) == ("deleted", True)


async def test_webhooks_are_subscribed_parsed_and_ended(
    messenger: AsyncMessengerClient, avito: Served
) -> None:
    hook = avito.mailbox.url
    assert (await messenger.subscribe_webhook(hook)).ok
    listed = (await messenger.get_webhook_subscriptions()).subscriptions
    assert [one.url for one in listed] == [hook]
    for kind in (*SAMPLES, "image", "voice"):
        written = await avito.write(type=kind)
        pushed = WebhookMessage.model_validate((await avito.mailbox.take()).json).payload.value
        assert (pushed.id, pushed.type.value) == (written["message_ids"][0], kind)
        assert (pushed.chat_id, pushed.user_id) == (written["chat_id"], ACCOUNT)
    assert (await messenger.unsubscribe_webhook(hook)).ok
    assert (await messenger.get_webhook_subscriptions()).subscriptions == []


async def test_refusals_become_its_own_errors(messenger: AsyncMessengerClient, avito: Served) -> None:
    with pytest.raises(NotFoundError):
        await messenger.get_chat(ACCOUNT, "u2i-nowhere")
    with pytest.raises(ForbiddenError):
        await messenger.get_chats(ACCOUNT + 1)
    await avito.fault(rate_limit=1)
    with pytest.raises(RateLimitError):
        await messenger.get_chats(ACCOUNT)
    await avito.fault(plan=True)
    with pytest.raises(AvitoApiError, match=r"402: .*подписка на тариф"):
        await messenger.get_chats(ACCOUNT)
    with pytest.raises(AuthError):
        await AsyncMessengerClient(CLIENT_ID, "wrong", config=config_of(avito)).get_chats(ACCOUNT)


async def test_an_expired_token_is_renewed_by_the_sdk(messenger: AsyncMessengerClient, avito: Served) -> None:
    await messenger.get_chats(ACCOUNT)
    first = messenger.access_token
    await avito.fault(expired_token="401")
    await messenger.get_chats(ACCOUNT)
    assert messenger.access_token != first
