import pytest

from tests.sandbox.world import ACCOUNT, World, account_path, chat_path

CHATS = f"{account_path(2)}/chats"
SECOND_AD = 3_550_001_235


async def test_the_account_knows_itself(world: World) -> None:
    shown = (await world.api("GET", "/core/v1/accounts/self")).json()

    assert shown["id"] == ACCOUNT
    assert set(shown) == {"id", "name", "email", "phone", "phones", "profile_url"}


async def test_a_chat_tells_the_ad_and_the_people(world: World) -> None:
    written = await world.write(text="Сколько стоит экран?")

    chat = (await world.api("GET", chat_path(written["chat_id"], 2))).json()

    value = chat["context"]["value"]
    assert chat["id"].startswith("u2i-")
    assert "~" in chat["id"]
    assert (chat["context"]["type"], value["title"], value["price_string"]) == (
        "item",
        "Замена экрана iPhone",
        "4 500 ₽",
    )
    assert {user["id"] for user in chat["users"]} == {ACCOUNT, int(written["customer_id"])}
    assert chat["last_message"]["content"] == {"text": "Сколько стоит экран?"}


async def test_the_order_of_users_differs_between_chats(world: World) -> None:
    for name in ("1001", "1002"):
        await world.write(name, text="да")

    first = {chat["users"][0]["id"] for chat in (await world.api("GET", CHATS)).json()["chats"]}

    assert ACCOUNT in first
    assert len(first) == 2


async def test_chats_are_listed_latest_first_and_say_whether_there_are_more(world: World) -> None:
    for name in ("a", "b", "c"):
        await world.write(name, text=name)
        await world.time.pass_(1)

    page = (await world.api("GET", CHATS, params={"limit": 2})).json()
    rest = (await world.api("GET", CHATS, params={"limit": 2, "offset": 2})).json()

    assert [chat["last_message"]["content"]["text"] for chat in page["chats"]] == ["c", "b"]
    assert (page["meta"], rest["meta"], len(rest["chats"])) == ({"has_more": True}, {"has_more": False}, 1)


async def test_only_chats_about_ads_are_listed_unless_asked(world: World) -> None:
    await world.write(text="про объявление")
    await world.write(text="лично", chat_type="u2u")
    await world.write(text="от Avito", chat_type="a2u")

    async def kinds(query: str) -> set[str]:
        answer = await world.api("GET", f"{CHATS}{query}")
        return {chat["id"][:3] for chat in answer.json()["chats"]}

    assert await kinds("") == {"u2i"}
    assert await kinds("?chat_types=u2i&chat_types=u2u") == {"u2i", "u2u"}
    assert await kinds("?chat_types=u2u,a2u") == {"u2u", "a2u"}


async def test_chats_without_an_ad_have_no_context(world: World) -> None:
    written = await world.write(text="лично", chat_type="u2u")

    assert "context" not in (await world.api("GET", chat_path(written["chat_id"], 2))).json()


@pytest.mark.parametrize("query", [f"?item_ids={SECOND_AD}&item_ids=1", f"?item_ids=1,{SECOND_AD}"])
async def test_chats_are_found_by_ad_in_both_array_encodings(world: World, query: str) -> None:
    await world.write(text="первое")
    wanted = await world.write(text="второе", ad=SECOND_AD)

    chats = (await world.api("GET", f"{CHATS}{query}")).json()["chats"]

    assert [chat["id"] for chat in chats] == [wanted["chat_id"]]


async def test_reading_a_chat_takes_it_from_the_unread(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]

    async def unread() -> int:
        answer = await world.api("GET", CHATS, params={"unread_only": "true"})
        return len(answer.json()["chats"])

    await world.history(chat)
    assert await unread() == 1
    assert (await world.api("POST", f"{chat_path(chat)}/read")).json() == {"ok": True}
    assert await unread() == 0
    [message] = await world.history(chat)
    assert (message["is_read"], message["read"]) == (True, 1_763_800_000)


async def test_messages_come_newest_first_with_direction_and_quote(world: World) -> None:
    first = await world.write(text="вопрос")
    await world.send(first["chat_id"], "ответ")
    await world.write(text="ещё", quote=first["message_ids"][0])

    history = await world.history(first["chat_id"])

    assert [(m["direction"], m["content"]["text"]) for m in history] == [
        ("in", "ещё"),
        ("out", "ответ"),
        ("in", "вопрос"),
    ]
    assert history[0]["quote"]["id"] == first["message_ids"][0]
    assert set(history[0]["quote"]) == {"id", "author_id", "content", "created", "type"}
    assert "quote" not in history[2]


async def test_a_long_history_is_paged(world: World) -> None:
    chat = ""
    for number in range(5):
        chat = (await world.write(text=str(number)))["chat_id"]

    answer = await world.api("GET", f"{chat_path(chat, 3)}/messages/", params={"limit": 2, "offset": 1})

    assert [m["content"]["text"] for m in answer.json()["messages"]] == ["3", "2"]
    assert answer.json()["meta"] == {"has_more": True}


async def test_the_message_list_has_a_second_shape(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]
    await world.fault(bare_array=True)

    answer = (await world.api("GET", f"{chat_path(chat, 3)}/messages/")).json()

    assert [message["content"]["text"] for message in answer] == ["ау"]


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=x", "offset=1001", "offset=-1"])
async def test_pages_outside_the_limits_are_400(world: World, query: str) -> None:
    answer = await world.api("GET", f"{CHATS}?{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
    assert answer.json()["error"]["fields"]


async def test_limits_can_be_clamped_instead(world: World) -> None:
    await world.fault(clamp_limit=True)

    assert (await world.api("GET", f"{CHATS}?limit=500")).status_code == 200


@pytest.mark.parametrize("query", ["chat_types=chat", "item_ids=abc", "unread_only=perhaps"])
async def test_wrong_filters_are_400(world: World, query: str) -> None:
    assert (await world.api("GET", f"{CHATS}?{query}")).status_code == 400


async def test_an_unknown_chat_is_404_everywhere(world: World) -> None:
    chat = "u2i-nobody"
    calls = [
        ("GET", chat_path(chat, 2)),
        ("GET", f"{chat_path(chat, 3)}/messages/"),
        ("POST", f"{chat_path(chat)}/messages"),
        ("POST", f"{chat_path(chat)}/messages/image"),
        ("POST", f"{chat_path(chat)}/messages/1"),
        ("POST", f"{chat_path(chat)}/read"),
    ]

    statuses = {(await world.api(method, path)).status_code for method, path in calls}

    assert statuses == {404}


async def test_the_trailing_slash_is_part_of_the_path(world: World) -> None:
    chat = (await world.write(text="ау"))["chat_id"]

    for path in (f"{chat_path(chat, 3)}/messages", f"{CHATS}/", f"{account_path(1)}/items/1"):
        answer = await world.api("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)


async def test_voice_links_work_for_an_hour(world: World) -> None:
    chat = (await world.write(voice=True))["chat_id"]
    [message] = await world.history(chat)
    voice_id = message["content"]["voice"]["voice_id"]

    answer = await world.api("GET", f"{account_path(1)}/getVoiceFiles?voice_ids={voice_id},v-none")
    [(name, link)] = answer.json()["voices_urls"].items()

    assert name == voice_id
    sound = await world.web.get(link)
    assert (sound.status_code, sound.headers["content-type"], sound.content[4:8]) == (
        200,
        "audio/mp4",
        b"ftyp",
    )
    await world.time.pass_(3600)
    assert (await world.web.get(link)).status_code == 403


async def test_voice_ids_are_required(world: World) -> None:
    assert (await world.api("GET", f"{account_path(1)}/getVoiceFiles")).status_code == 400


async def test_an_ad_tells_its_status_but_neither_title_nor_price(world: World) -> None:
    path = f"/core/v1/accounts/{ACCOUNT}/items"

    assert set((await world.api("GET", f"{path}/{SECOND_AD}/")).json()) == {
        "status",
        "url",
        "start_time",
        "finish_time",
        "autoload_item_id",
        "vas",
    }
    assert (await world.api("GET", f"{path}/5/")).json()["status"] == "not_found"


async def test_own_ads_are_listed_with_numeric_prices(world: World) -> None:
    active = (await world.api("GET", "/core/v1/items", params={"per_page": 2})).json()
    removed = (await world.api("GET", "/core/v1/items?status=removed,old")).json()

    assert active["meta"] == {"page": 1, "per_page": 2}
    assert [ad["price"] for ad in active["resources"]] == [4500, 2900]
    assert [ad["status"] for ad in removed["resources"]] == ["removed"]


@pytest.mark.parametrize("query", ["per_page=100", "page=0", "status=sold"])
async def test_a_wrong_list_of_ads_is_400_in_the_ads_own_shape(world: World, query: str) -> None:
    answer = await world.api("GET", f"/core/v1/items?{query}")

    assert (answer.status_code, set(answer.json())) == (400, {"code", "message"})


async def test_the_list_of_ads_allows_25_calls_a_minute(world: World) -> None:
    statuses = [(await world.api("GET", "/core/v1/items")).status_code for _ in range(26)]
    refused = await world.api("GET", "/core/v1/items")

    assert statuses == [200] * 25 + [429]
    assert refused.headers["retry-after"] == "60"
    await world.time.pass_(60)
    assert (await world.api("GET", "/core/v1/items")).status_code == 200
