"""The rule table of a phone repair shop: what customers ask, and what is answered."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Says:
    """One thing to say, in both languages."""

    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """When a customer's words match `asks`, the reply has `says`."""

    topic: str
    asks: re.Pattern[str]
    says: Says


def _rule(topic: str, asks: str, ru: str, en: str) -> Rule:
    return Rule(topic, re.compile(asks, re.IGNORECASE), Says(ru, en))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8").strip()


DEFAULT = Says(
    "Спасибо, получили ваши сообщения ({count}). Напишите, пожалуйста, модель телефона и что случилось.",
    "Thank you, we have your messages ({count}). Which phone is it, and what happened to it?",
)
PHOTO = Says(
    "Фото получили, спасибо: мастер посмотрит повреждение.",
    "We have your photo, thank you: the technician will look at the damage.",
)
VOICE = Says(
    "Голосовое сообщение получили, спасибо.",
    "We have your voice note, thank you.",
)
VIDEO = Says(
    "Файл получили, спасибо.",
    "We have your file, thank you.",
)


RULES: tuple[Rule, ...] = (
    _rule(
        "greeting",
        r"\bздравствуй|\bпривет|\bдобр(ый|ое) (день|утро|вечер)|\b(hello|hi|good (morning|day|evening))\b",
        "Здравствуйте! Это мастерская по ремонту телефонов.",
        "Hello! This is the phone repair shop.",
    ),
    _rule(
        "screen",
        r"экран|диспле|стекл|\b(screen|display|glass)\b",
        "Замена экрана: от 3 500 ₽ за аналог и от 7 900 ₽ за оригинал, около часа при вас.",
        "A new screen: from 3,500 ₽ for a copy, from 7,900 ₽ for an original, about an hour while you wait.",
    ),
    _rule(
        "battery",
        r"аккумулятор|батаре|\bакб\b|\bbatter(y|ies)\b",
        "Замена аккумулятора: от 2 200 ₽, около 40 минут, гарантия 6 месяцев.",
        "A new battery: from 2,200 ₽, about 40 minutes, guaranteed for 6 months.",
    ),
    _rule(
        "address",
        r"адрес|где вы\b|где наход|как (доехать|добраться|пройти)|\b(address|where are you|located?)\b",
        "Мы на улице Ленина, 12, вход со двора, пять минут от метро.",
        "We are at 12 Lenin Street, entrance from the yard, five minutes from the metro.",
    ),
    _rule(
        "hours",
        r"во сколько|до скольк|график|режим работ|работаете|открыт|\bhours\b|\bopen (today|till)\b|you open",
        "Работаем каждый день с 10:00 до 20:00, без перерыва.",
        "We are open every day from 10:00 to 20:00.",
    ),
    _rule(
        "person",
        r"оператор|менеджер|живо(й|го|му) человек|с человеком|позовите|\b(human|person|operator|manager)\b",
        "Передаём ваш вопрос сотруднику: он ответит здесь же в рабочее время.",
        "We pass your question to a colleague, who will answer here during working hours.",
    ),
    _rule(
        "form",
        r"заявк|запис(ь|ать|аться)|\b(book|appointment|request form)\b",
        "Заявку приняли: напишите удобное время, и мы подтвердим запись.",
        "We have your request: tell us when it suits you, and we confirm the time.",
    ),
    _rule("long", r"подробно|\blong answer\b", _file("long_answer.ru.txt"), _file("long_answer.en.txt")),
)
