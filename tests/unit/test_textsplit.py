"""Long texts become messages: within the limit, in order, cut where a reader would pause."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.capabilities import Unit
from core.textsplit import split_text

FAMILY = "👨‍👩‍👧‍👦"
THUMB = "👍🏽"
RUSSIA = "🇷🇺"
ACCENTED = "й́"
WIDE = [FAMILY, THUMB, RUSSIA, ACCENTED]

emoji = ["🙂", *WIDE, "1\ufe0f\u20e3"]
clusters = st.sampled_from([*emoji, "a", "ж", "é", " ", ". ", "\n", "\n\n"])
texts = st.one_of(st.text(max_size=300), st.lists(clusters, max_size=200).map("".join))
units = st.sampled_from(["characters", "utf16", "bytes"])


def width(text: str, unit: Unit) -> int:
    if unit == "characters":
        return len(text)
    encoded = text.encode("utf-16-le" if unit == "utf16" else "utf-8", "surrogatepass")
    return len(encoded) // (2 if unit == "utf16" else 1)


def without_whitespace(text: str) -> str:
    return "".join(text.split())


@given(text=texts, limit=st.integers(4, 120), unit=units)
@example(text="a" * 9 + "\r\n" + "b", limit=10, unit="characters")
def test_nothing_but_whitespace_is_lost_and_every_piece_fits(text: str, limit: int, unit: Unit) -> None:
    pieces = split_text(text, limit, unit)

    assert without_whitespace("".join(pieces)) == without_whitespace(text)
    assert all(0 < width(piece, unit) <= limit for piece in pieces)
    assert all(piece == piece.strip() for piece in pieces)


@given(marks=st.lists(st.sampled_from(WIDE), min_size=1, max_size=60), unit=units)
def test_graphemes_stay_whole_where_one_fits(marks: list[str], unit: Unit) -> None:
    pieces = split_text("".join(marks), 40, unit)

    assert [mark for piece in pieces for mark in whole_marks(piece)] == marks


def whole_marks(piece: str) -> list[str]:
    found = []
    while piece:
        mark = next(mark for mark in WIDE if piece.startswith(mark))
        found.append(mark)
        piece = piece.removeprefix(mark)
    return found


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert split_text("Здравствуйте!\n\nЦена  1 500 ₽.", 1000) == ["Здравствуйте!\n\nЦена  1 500 ₽."]


@pytest.mark.parametrize("empty", ["", " ", "\n\t ", "\u3000"])
def test_a_text_without_words_is_no_message(empty: str) -> None:
    assert split_text(empty, 1000) == []


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Один абзац.\n\nДва слова. Ещё", ["Один абзац.", "Два слова. Ещё"]),
        ("Строка раз\nстрока два три", ["Строка раз", "строка два три"]),
        ("Он спросил: «Да?» Она ушла", ["Он спросил: «Да?»", "Она ушла"]),
        ("Сколько это? Тысяча рублей", ["Сколько это?", "Тысяча рублей"]),
        ("одно слово другое слово", ["одно слово другое", "слово"]),
        ("а" * 30, ["а" * 18, "а" * 12]),
    ],
    ids=["paragraph", "line", "closing quote", "question", "word", "anywhere"],
)
def test_the_cut_is_where_a_reader_pauses(text: str, pieces: list[str]) -> None:
    assert split_text(text, 18) == pieces


def test_a_reply_of_2500_characters_is_three_messages_that_end_with_sentences() -> None:
    text = " ".join(f"Предложение {number} о ремонте телефона и его цене." for number in range(60))[:2500]

    pieces = split_text(text, 1000)

    assert len(pieces) == 3
    assert all(piece.endswith(".") for piece in pieces[:-1])


def test_the_last_message_is_not_a_crumb() -> None:
    assert min(len(piece) for piece in split_text("слово " * 167, 1000)) >= 90


@pytest.mark.parametrize(("unit", "pieces"), [("characters", 1), ("utf16", 2), ("bytes", 5)])
def test_the_limit_counts_in_the_vendors_unit(unit: Unit, pieces: int) -> None:
    assert len(split_text("🙂" * 10, 10, unit)) == pieces


def test_a_grapheme_longer_than_a_message_is_cut_after_all() -> None:
    assert "".join(split_text("a" + "\u0301" * 30, 10)) == "a" + "\u0301" * 30


def test_a_limit_that_cannot_hold_every_character_is_refused() -> None:
    with pytest.raises(ValueError, match="limit of 3"):
        split_text("text", 3)


@pytest.mark.parametrize("character", ["!", "a", " .", "\u0301", "🇷"])
def test_a_hundred_thousand_characters_are_split_without_delay(character: str) -> None:
    text = (character * 100_000)[:100_000]

    assert without_whitespace("".join(split_text(text, 1000))) == without_whitespace(text)
