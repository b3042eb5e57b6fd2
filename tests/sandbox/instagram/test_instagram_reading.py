import pytest

from tests.sandbox.instagram.conftest import Opens
from tests.sandbox.instagram.world import ACCOUNT, InstagramWorld

LIST = "/me/conversations"
DAY = 86_400
EVERYTHING = "id,created_time,from,to,message,attachments,shares,story,reactions,reply_to"


async def test_conversations_are_listed_latest_first_with_their_people(instagram: InstagramWorld) -> None:
    for name in ("Анна", "Борис"):
        await instagram.write(name, text="ау")
        await instagram.time.pass_(1)
    query = {"platform": "instagram", "fields": "updated_time,participants,messages.limit(1){message}"}

    data = (await instagram.api("GET", LIST, params=query)).json()["data"]

    assert data[0]["updated_time"] == "2025-11-22T08:26:41+0000"
    assert data[0]["participants"]["data"][0] == {"username": "eldorado_remont", "id": ACCOUNT}
    assert [row["messages"]["data"][0]["message"] for row in data] == ["ау", "ау"]


async def test_pages_go_on_by_cursor(instagram: InstagramWorld) -> None:
    for name in ("a", "b", "c"):
        await instagram.write(name, text=name)

    first = (await instagram.api("GET", LIST, params={"limit": 2})).json()
    assert first["paging"]["next"].startswith("http://sandbox.test/instagram/v26.0/me/conversations?")
    query = {"limit": 2, "after": first["paging"]["cursors"]["after"]}
    second = (await instagram.api("GET", LIST, params=query)).json()

    assert (len(first["data"]), len(second["data"])) == (2, 1)
    assert "next" not in second["paging"]
    await instagram.time.pass_(1)
    back = {"limit": 2, "before": second["paging"]["cursors"]["before"]}
    assert (await instagram.api("GET", LIST, params=back)).json()["data"] == first["data"]


async def test_one_persons_conversation_is_found(instagram: InstagramWorld) -> None:
    await instagram.open_chat("Борис")
    chat = await instagram.open_chat()

    [row] = (await instagram.api("GET", LIST, params={"user_id": chat})).json()["data"]
    answer = (await instagram.api("GET", f"/{row['id']}", params={"fields": "messages"})).json()

    assert set(answer["messages"]["data"][0]) == {"id", "created_time"}


async def test_a_message_is_shown_with_its_people_and_what_it_answers(instagram: InstagramWorld) -> None:
    first = await instagram.write(text="раз")
    second = await instagram.write(text="два", quote=first["message_ids"][0])

    shown = (await instagram.api("GET", f"/{second['message_ids'][0]}", params={"fields": EVERYTHING})).json()

    assert (shown["message"], shown["from"]["id"]) == ("два", first["chat_id"])
    assert shown["to"]["data"] == [{"username": "eldorado_remont", "id": ACCOUNT}]
    assert shown["reply_to"] == {"mid": first["message_ids"][0], "is_self_reply": True}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("image", "attachments"),
        ("voice", "attachments"),
        ("ig_post", "shares"),
        ("story_mention", "story"),
        ("story_reply", "story"),
    ],
)
async def test_media_shares_and_stories_are_in_history(
    instagram: InstagramWorld, kind: str, field: str
) -> None:
    mid = (await instagram.write(type=kind))["message_ids"][0]

    assert (await instagram.api("GET", f"/{mid}", params={"fields": EVERYTHING})).json()[field]


async def test_only_the_twenty_newest_have_details(open_instagram: Opens) -> None:
    async with open_instagram(reads_per_second=100) as instagram:
        ids = [(await instagram.write(text=str(n)))["message_ids"][0] for n in range(21)]
        [row] = (await instagram.api("GET", LIST)).json()["data"]
        query = {"fields": "id,message", "limit": 100}

        shown = (await instagram.api("GET", f"/{row['id']}/messages", params=query)).json()["data"]

        assert [m.get("message") for m in shown] == [*(str(n) for n in range(20, 0, -1)), None]
        assert await instagram.refusal("GET", f"/{ids[0]}") == (400, 9000001, None)
        assert (await instagram.api("GET", f"/{ids[1]}")).status_code == 200


async def test_an_unsent_message_is_gone(instagram: InstagramWorld) -> None:
    mid = (await instagram.write(text="ой"))["message_ids"][0]
    assert (await instagram.control("DELETE", f"/messages/{mid}")).status_code == 200

    assert await instagram.refusal("GET", f"/{mid}") == (400, 9000001, None)
    assert await instagram.seen() == []


async def test_two_reads_a_second(instagram: InstagramWorld) -> None:
    assert [(await instagram.api("GET", LIST)).status_code for _ in range(3)] == [200, 200, 400]
    assert await instagram.refusal("GET", LIST) == (400, 613, None)

    await instagram.time.pass_(1)
    assert (await instagram.api("GET", LIST)).status_code == 200


async def test_silent_requests_are_not_listed_after_30_days(instagram: InstagramWorld) -> None:
    await instagram.open_chat("Борис")
    await instagram.send(await instagram.open_chat(), "ответ")
    await instagram.time.pass_(30 * DAY)

    assert len((await instagram.api("GET", LIST)).json()["data"]) == 1


@pytest.mark.parametrize(
    "query",
    [{"folder": "x"}, {"platform": "messenger"}, {"fields": "labels"}, {"limit": "0"}, {"after": "x"}],
)
async def test_wrong_parameters_are_code_100(instagram: InstagramWorld, query: dict[str, str]) -> None:
    await instagram.open_chat()

    assert await instagram.refusal("GET", LIST, params=query) == (400, 100, None)


async def test_flavour_b_needs_the_platform_and_the_page(open_instagram: Opens) -> None:
    async with open_instagram(flavour="facebook") as page:
        assert await page.refusal("GET", LIST) == (400, 100, None)
        assert await page.refusal("GET", f"/{ACCOUNT}/conversations") == (400, 100, 33)
        path = "/100000000000001/conversations"
        assert (await page.api("GET", path, params={"platform": "instagram"})).status_code == 200


async def test_a_profile_is_readable_only_after_the_first_message(instagram: InstagramWorld) -> None:
    made = await instagram.backstage("customers", named="Ольга", username="olga.k", name="Ольга К.")
    query = {"fields": "name,username,profile_pic,follower_count,is_verified_user"}
    assert await instagram.refusal("GET", f"/{made['id']}", params=query) == (400, 9010, None)

    await instagram.write("Ольга", text="ау")
    shown = (await instagram.api("GET", f"/{made['id']}", params=query)).json()

    assert (shown["name"], shown["username"], shown["id"]) == ("Ольга К.", "olga.k", made["id"])
    assert (await instagram.web.get(shown["profile_pic"])).headers["content-type"] == "image/png"
    await instagram.write("Ольга", type="block")
    assert await instagram.refusal("GET", f"/{made['id']}") == (400, 100, 33)
