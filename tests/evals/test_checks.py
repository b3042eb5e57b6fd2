"""Every check can fail, and says what it saw."""

from typing import Any

import pytest

from evals.__main__ import BUSINESS
from evals.checks import OURS, failures
from evals.wording import language_of, sums
from tests.evals.scenes import exchange, played, scenario

PRICE = "Замена экрана: от 3 500 ₽."


def wrong(*replies: str, **expect: Any) -> list[str]:
    return failures(scenario(), played(exchange(*replies, **expect)))


def test_an_answer_that_is_as_it_should_be_fails_nothing() -> None:
    """Once, in the customer's language, with the price and nothing that it must not say."""
    assert wrong(PRICE, says=["3 ?500"], never=["скидк"], prices=[3500], answers=1) == []


@pytest.mark.parametrize(
    ("replies", "expect", "said"),
    [
        ([], {}, "step 1: 0 answers, not 1"),
        ([PRICE, PRICE], {}, "step 1: 2 answers, not 1: «Замена"),
        ([PRICE], {"answers": 0}, "step 1: 1 answers, not 0"),
        ([PRICE], {"answers": [2, 5]}, "step 1: 1 answers, not 2 to 5"),
        ([PRICE], {"turns": 2}, "step 1: became 1 turns, not 2"),
        ([PRICE], {"handed_off": True}, "step 1: was not handed to a person"),
        (["A new screen: 3,500 ₽"], {}, "step 1: speaks en, not ru"),
        ([PRICE], {"language": "en"}, "step 1: speaks ru, not en"),
        ([PRICE], {"asks": True}, "step 1: asks nothing back"),
        ([PRICE], {"says": ["7 900"]}, "step 1: does not say '7 900'"),
        ([PRICE], {"says_any": ["7 900", "адрес"]}, "step 1: says none of '7 900', 'адрес'"),
        ([PRICE], {"never": ["ЭКРАН"]}, "step 1: says 'ЭКРАН'"),
        ([PRICE], {"names": [7900]}, "step 1: does not name 7900 ₽"),
        ([PRICE], {"prices": [7900]}, "step 1: names 3500 ₽, which is no price of ours"),
        (["Экран за 990 ₽"], {"prices": ["ours"]}, "step 1: names 990 ₽, which is no price of ours"),
        (["Ваш lease_token 12"], {"language": "any"}, "step 1: tells how it works"),
    ],
)
def test_what_does_not_hold_is_one_sentence(replies: list[str], expect: dict[str, Any], said: str) -> None:
    """With the step and the words."""
    [line] = wrong(*replies, **expect)
    assert line.startswith(said)


def test_a_turn_that_nobody_finished_is_told() -> None:
    """By what it still waits for."""
    unfinished = exchange(answers=0)
    unfinished.unfinished = "The turn waits for an agent."
    assert failures(scenario(), played(unfinished)) == ["step 1: not finished: The turn waits for an agent."]


def test_a_hand_off_may_come_with_or_without_words() -> None:
    """What was not expected is told, whatever was said."""
    silent, telling, needless = exchange(handed_off=True), exchange("Зовём.", handed_off=True), exchange("Да")
    for one in (silent, telling, needless):
        one.handed_off = True
    assert failures(scenario(), played(silent)) == failures(scenario(), played(telling)) == []
    assert failures(scenario(), played(needless)) == ["step 1: was handed to a person"]


def test_what_holds_of_everything_is_looked_for_in_every_answer() -> None:
    """The bystander's answers are theirs; an operator's words are nobody's answer."""
    one = scenario(
        steps=[{"bystander": "a"}, {"write": "b"}],
        overall={"never": ["4417"], "says": ["здесь"], "handed_off": True, "bystander_hears": 0},
    )
    told = played(exchange("код 4417", by="bystander"), exchange("Мы"), exchange("здесь, код 4417"))
    told.bystander_heard = 1
    assert failures(one, told) == [
        "overall: says '4417': «Мы здесь, код 4417»",
        "overall: no person has it",
        "overall: the bystander hears 1 messages, not 0",
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("от 3 500 ₽ за аналог и от 7\u00a0900 ₽ за оригинал", [3500, 7900]),
        ("from 3,500 ₽, 24990 rubles, 2.500 руб.", [3500, 24990, 2500]),
        ("2,5 тыс. руб. или 3 тысячи рублей", [2500, 3000]),
        ("1500р, 900 р.", [1500, 900]),
        ("1 рубль", [1]),
        ("3500–7900 ₽, from 1,900 to 2,200 rubles", [3500, 7900, 1900, 2200]),
        ("₽3,500 or ₽ 7 900", [3500, 7900]),
        ("с 10 до 20, 3 000 ₽", [3000]),
        ("iPhone 12, 128 ГБ, через 40 минут до 20:00 в 2026", []),
        ("в 12 раз", []),
    ],
)
def test_sums_of_money_are_read_as_people_write_them(text: str, named: list[int]) -> None:
    assert sums(text) == named


def test_our_sums_are_those_of_the_business() -> None:
    """What the model is told, and what it may say."""
    assert set(sums(BUSINESS.read_text("utf-8"))) == OURS
    told = played(exchange("Экран от 3500, точнее 3500 – 7900 руб.", prices=["ours", 1], names=[3500]))
    assert failures(scenario(), told) == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Здравствуйте, iPhone 12", "ru"),
        ("The price in the ad «Ремонт ноутбуков» is 1 500 ₽", "en"),
        ("iPhone 12", None),
        ("", None),
    ],
)
def test_the_language_is_that_of_most_letters(text: str, language: str | None) -> None:
    """Names of phones and titles of ads are written in any."""
    assert language_of(text) == language
