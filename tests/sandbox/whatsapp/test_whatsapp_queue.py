import pytest

from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, PROFILE, Shop

EXACTLY = {"timeout_from": 2, "timeout_to": 2}


async def queued(shop: Shop, text: str, **query: object) -> str:
    body = {"recipient": ANNA, "body": text}
    answer = (await shop.post("async/message/send", body, params={**EXACTLY, **query})).json()
    assert (answer["status"], answer["detail"]) == ("done", "Message sent to queue")
    assert "message_id" not in answer
    return str(answer["task_id"])


async def test_queued_messages_go_out_one_by_one_with_pauses(shop: Shop) -> None:
    for text in ("раз", "два"):
        await queued(shop, text)

    counts = []
    for pause in (1.9, 0.1, 1.9, 0.1):
        await shop.time.pass_(pause)
        counts.append(len(await shop.seen()))

    assert counts == [0, 1, 1, 2]
    assert [message["text"] for message in await shop.seen()] == ["раз", "два"]


async def test_the_default_pause_is_one_to_three_seconds(shop: Shop) -> None:
    await shop.post("async/message/send", {"recipient": ANNA, "body": "ау"})
    await shop.time.pass_(0.9)
    assert await shop.seen() == []

    await shop.time.pass_(2.1)
    assert len(await shop.seen()) == 1


async def test_a_task_tells_its_message_once_it_is_done(shop: Shop) -> None:
    task_id = await queued(shop, "Готово")
    waiting = (await shop.get("task/get", task_id=task_id)).json()["task"]
    await shop.time.pass_(2)
    task = (await shop.get("task/get", task_id=task_id)).json()["task"]

    assert (waiting["response"], waiting["is_first"]) == (None, True)
    assert (task["command"], task["recipient"], task["uuid"], task["body"]) == (
        "sendMessage",
        ANNAS_CHAT,
        PROFILE,
        "Готово",
    )
    assert task["command_start"] == "2025-11-22T08:26:40.000Z"
    assert (task["response"]["status"], task["response"]["task_id"]) == ("done", task_id)
    assert task["response"]["message_id"] == (await shop.seen())[0]["id"]


async def test_a_task_of_a_profile_that_was_logged_out_fails(shop: Shop) -> None:
    task_id = await queued(shop, "Готово")
    await shop.fault(logged_out=True)
    await shop.time.pass_(2)

    task = (await shop.get("task/get", task_id=task_id)).json()["task"]
    assert (task["response"]["status"], task["response"]["detail"]) == ("error", "sendMessage error")
    assert "message_id" not in task["response"]
    assert await shop.seen() == []


async def test_waiting_tasks_are_listed_and_purged(shop: Shop) -> None:
    await queued(shop, "раз")
    await shop.time.pass_(2)
    await queued(shop, "два")

    [waiting] = (await shop.get("profile/queue/get")).json()["tasks"]
    assert (waiting["body"], waiting["timeout_from"], waiting["timeout_to"]) == ("два", 2, 2)
    assert len((await shop.get("tasks/get")).json()["tasks"]) == 2

    await shop.get("profile/queue/purge")
    await shop.time.pass_(60)
    assert [message["text"] for message in await shop.seen()] == ["раз"]
    assert (await shop.get("profile/queue/get")).json()["tasks"] == []


@pytest.mark.parametrize("query", [{"timeout_from": 5, "timeout_to": 1}, {"timeout_to": "soon"}])
async def test_pauses_must_make_sense(shop: Shop, query: dict[str, object]) -> None:
    answer = await shop.post("async/message/send", {"recipient": ANNA, "body": "ау"}, params=query)

    assert answer.status_code == 400


async def test_an_unknown_task_and_a_wrong_body_are_400(shop: Shop) -> None:
    assert (await shop.get("task/get", task_id="none")).status_code == 400
    assert (await shop.get("task/get")).status_code == 400
    assert (await shop.post("async/message/send", {"recipient": ANNA})).status_code == 400


async def test_the_echo_of_a_queued_message_names_its_task(shop: Shop) -> None:
    await shop.subscribe()
    task_id = await queued(shop, "ау", bot_id="b1")
    await shop.time.pass_(2)

    [echo] = shop.outside.told("outgoing_message_api")
    assert (echo["task_id"], echo["wappi_bot_id"]) == (task_id, "b1")


async def test_an_answer_of_the_queue_can_be_lost_too(shop: Shop) -> None:
    await shop.fault(drop_after_storing=1)
    answer = await shop.post("async/message/send", {"recipient": ANNA, "body": "ау"}, params=EXACTLY)
    await shop.time.pass_(2)

    assert answer.status_code == 502
    assert len(await shop.seen()) == 1


async def test_the_history_has_what_the_api_sent(shop: Shop) -> None:
    await shop.write(text="вопрос")
    sent = await shop.send("ответ")
    await shop.control("POST", "/operator/messages", json={"chat": ANNAS_CHAT, "text": "от человека"})

    history = (await shop.get("sync/messages/history")).json()
    assert history["all_messages_count"] == 1
    [row] = history["detail"]
    assert row == {
        "delivered": "success",
        "recipient": ANNAS_CHAT,
        "message": "ответ",
        "caption": "",
        "created_at": "2025-11-22T08:26:40Z",
        "task_name": "sendMessage",
        "id": sent["message_id"],
        "task_id": sent["task_id"],
    }
