from typing import Any

import pytest

from sandbox.max.markup import marked
from tests.sandbox.max.world import MaxWorld


def span(kind: str, start: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "from": start, "length": length, **more}


@pytest.mark.parametrize(
    ("text", "plain", "spans"),
    [
        ("**раз**", "раз", [span("strong", 0, 3)]),
        ("__раз__ и *два*", "раз и два", [span("strong", 0, 3), span("emphasized", 6, 3)]),
        ("_раз_", "раз", [span("emphasized", 0, 3)]),
        ("~~нет~~ ++да++", "нет да", [span("strikethrough", 0, 3), span("underline", 4, 2)]),
        ("`a*b*`", "a*b*", [span("monospaced", 0, 4)]),
        ("^^да^^", "да", [span("highlighted", 0, 2)]),
        ("# Цены\n> от 1500", "Цены\nот 1500", [span("heading", 0, 4), span("quote", 5, 7)]),
        ("[сайт](https://a.test)", "сайт", [span("link", 0, 4, url="https://a.test")]),
        (
            "[Анна](max://user/5)",
            "Анна",
            [span("user_mention", 0, 4, user_link="max://user/5", user_id=5)],
        ),
        ("**а _б_**", "а б", [span("strong", 0, 3), span("emphasized", 2, 1)]),
        ("🙂 **да**", "🙂 да", [span("strong", 3, 2)]),
        ("snake_case_name 2*3*4", "snake_case_name 234", [span("emphasized", 17, 1)]),
        ("просто", "просто", []),
    ],
)
def test_markdown_becomes_markup(text: str, plain: str, spans: list[dict[str, Any]]) -> None:
    assert marked(text, "markdown") == (plain, tuple(spans))


@pytest.mark.parametrize(
    ("text", "plain", "spans"),
    [
        ("<b>раз</b> <i>два</i>", "раз два", [span("strong", 0, 3), span("emphasized", 4, 3)]),
        ("<del>a</del><u>b</u>", "ab", [span("strikethrough", 0, 1), span("underline", 1, 1)]),
        ('<a href="https://a.test">сайт</a>', "сайт", [span("link", 0, 4, url="https://a.test")]),
        ("<h1>Цены</h1><code>x</code>", "Цены" + "x", [span("heading", 0, 4), span("monospaced", 4, 1)]),
        ("1 &lt; 2 <blink>да</blink>", "1 < 2 да", []),
        ("<b>не закрыт", "не закрыт", []),
        ("a<br>b</b>", "a\nb", []),
    ],
)
def test_html_becomes_markup(text: str, plain: str, spans: list[dict[str, Any]]) -> None:
    assert marked(text, "html") == (plain, tuple(spans))


async def test_marks_are_read_only_where_a_format_is_given(max_: MaxWorld) -> None:
    chat = await max_.dialog()

    bare = (await max_.sent(chat, "**раз**"))["body"]
    rich = (await max_.sent(chat, "**раз**", format="markdown"))["body"]

    assert (bare["text"], "markup" in bare) == ("**раз**", False)
    assert (rich["text"], rich["markup"]) == ("раз", [span("strong", 0, 3)])
