"""Parse modes: entities in UTF-16 units, and the refusals (contract §4, §5)."""

from typing import Any

import pytest

from tests.sandbox.telegram.world import World


def entity(kind: str, offset: int, length: int, **more: str) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@pytest.mark.parametrize(
    ("mode", "text", "plain", "entities"),
    [
        ("HTML", "<i>a</i>&lt;&amp;&#33;&nbsp;", "a<&!&nbsp;", [entity("italic", 0, 1)]),
        ("html", "😀<b>x</b>", "😀x", [entity("bold", 2, 1)]),
        ("HTML", '<a href="https://x.test/?a=1&amp;b=2">тут</a>', "тут", None),
        (
            "HTML",
            '<pre><code class="language-python">x</code></pre>',
            "x",
            [entity("pre", 0, 1, language="python")],
        ),
        ("HTML", "<b>a<i>b</i></b>", "ab", [entity("bold", 0, 2), entity("italic", 1, 1)]),
        ("HTML", "<b></b>x", "x", None),
        ("MarkdownV2", "*a* _b_ __c__ ~d~ ||e||", "a b c d e", None),
        ("MarkdownV2", r"7 900 ₽\. Да\!", "7 900 ₽. Да!", None),
        ("MarkdownV2", "*a _b_*", "a b", [entity("bold", 0, 3), entity("italic", 2, 1)]),
        (
            "MarkdownV2",
            "[тут](https://x.test/\\))",
            "тут",
            [entity("text_link", 0, 3, url="https://x.test/)")],
        ),
        (
            "MarkdownV2",
            "`a.b` ```py\nx.y\n```",
            "a.b x.y\n",
            [entity("code", 0, 3), entity("pre", 4, 4, language="py")],
        ),
        ("MarkdownV2", ">цитата\nдальше", "цитата\nдальше", [entity("blockquote", 0, 6)]),
        ("Markdown", r"*a* _b_ `c` \*", "a b c *", None),
        ("Markdown", "[тут](https://x.test) 1.5!", "тут 1.5!", None),
        (None, "*a* <b>", "*a* <b>", None),
    ],
)
async def test_marks_become_entities(
    telegram: World, mode: str | None, text: str, plain: str, entities: list[dict[str, Any]] | None
) -> None:
    chat = await telegram.chat()
    sent = await telegram.result("sendMessage", chat_id=chat, text=text, parse_mode=mode)

    assert sent["text"] == plain
    if entities is not None:
        assert sent["entities"] == entities


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        ("HTML", "я <x>", 'Unsupported start tag "x" at byte offset 3'),
        ("HTML", "5 < 7", 'Unsupported start tag "" at byte offset 2'),
        ("HTML", "<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "x</b>", "Unexpected end tag at byte offset 1"),
        ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        (
            "MarkdownV2",
            "Цена 1.5",
            "Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        ("MarkdownV2", "я *x", "Can't find end of Bold entity at byte offset 3"),
        ("MarkdownV2", "[x] y", "Can't find end of a URL at byte offset 2"),
        ("Markdown", "я *x", "Can't find end of the entity starting at byte offset 3"),
        ("Markdown", "[x y", "Can't find end of the entity starting at byte offset 0"),
    ],
)
async def test_unreadable_marks_are_refused_with_their_place(
    telegram: World, mode: str, text: str, words: str
) -> None:
    refused = await telegram.refusal("sendMessage", chat_id=await telegram.chat(), text=text, parse_mode=mode)

    assert refused == (400, f"Bad Request: can't parse entities: {words}")


async def test_links_and_commands_are_found_without_marks(telegram: World) -> None:
    chat = await telegram.chat()
    sent = await telegram.result(
        "sendMessage", chat_id=chat, text="/price https://x.test me@x.test @shop_bot"
    )

    assert [found["type"] for found in sent["entities"]] == ["bot_command", "url", "email", "mention"]


async def test_given_entities_are_kept(telegram: World) -> None:
    entities = [entity("bold", 0, 2)]
    sent = await telegram.result("sendMessage", chat_id=await telegram.chat(), text="да", entities=entities)

    assert sent["entities"] == entities


async def test_captions_have_marks_and_a_limit_of_their_own(telegram: World) -> None:
    chat = await telegram.chat()
    photo = {"photo": ("p.gif", b"GIF89a\x09\0\x09\0")}
    sent = await telegram.upload(
        "sendPhoto", photo, chat_id=str(chat), caption="<b>да</b>", parse_mode="HTML"
    )
    long = await telegram.upload("sendPhoto", photo, chat_id=str(chat), caption="я" * 1025)

    assert sent.json()["result"]["caption_entities"] == [entity("bold", 0, 2)]
    assert long.json()["description"] == "Bad Request: message caption is too long"
