"""The rule table of a phone repair shop that also sells on Avito: what customers ask, what is answered."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Says:
    """One thing to say, in both languages; {count}, {ad_title} and {ad_price} come from the turn."""

    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """When a customer's words match `asks`, the reply has `says`.

    `ad`: only where the customer writes about an ad. `person`: after it, a person answers.
    """

    topic: str
    asks: re.Pattern[str]
    says: Says
    ad: bool = False
    person: bool = False


def _rule(topic: str, asks: str, ru: str, en: str, *, ad: bool = False, person: bool = False) -> Rule:
    return Rule(topic, re.compile(asks, re.IGNORECASE), Says(ru, en), ad, person)


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
UNHEARD = Says(
    "Голосовое сообщение получили, но прослушать его не можем. Напишите, пожалуйста, словами, что случилось.",
    "We have your voice note but cannot listen to it. Could you write in words what happened?",
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
        "anger",
        r"безобрази|кошмар|ужасн|обман|мошенник|издева|верните (мои )?деньги|жалоб|в суд\b|роспотребнадзор"
        r"|\b(scam|scammers|refund|money back|complain(t|ing)?|unacceptable|ridiculous|furious|lawyer)\b",
        "Нам очень жаль, что так вышло. Передаём ваше обращение старшему сотруднику: он ответит здесь же.",
        "We are sorry that it came to this. We pass it to a senior colleague, who will answer here.",
        person=True,
    ),
    _rule(
        "screen",
        r"экран|диспле|стекл|\b(screens?|displays?|glass)\b",
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
        "charging",
        r"разъ[её]м|не заряжа|гнездо|\b(charging port|charge port|not charging|won't charge)\b",
        "Замена разъёма зарядки: от 1 900 ₽, около часа.",
        "A new charging port: from 1,900 ₽, about an hour.",
    ),
    _rule(
        "water",
        r"\bв (воду|ванну|море|бассейн|снег)\b|утопи|намок|попала вода|\b(water|wet|drowned)\b",
        "Не заряжайте телефон и не сушите горячим воздухом: выключите его и принесите сегодня же.",
        "Do not charge it and do not dry it with hot air: switch it off and bring it today.",
    ),
    _rule(
        "diagnosis",
        r"диагност|\bdiagnos(is|tics?|e)\b",
        "Диагностика бесплатная, от 15 минут до одного дня.",
        "The diagnosis is free and takes from 15 minutes to a day.",
    ),
    _rule(
        "guarantee",
        r"гаранти|\b(guarantee|warranty)\b",
        "Гарантия: на экраны и аккумуляторы 6 месяцев, на ремонт платы 3 месяца.",
        "The guarantee: six months for screens and batteries, three for boards.",
    ),
    _rule(
        "discount",
        r"скидк|скидоч|дешевле|подешевле|\bторг|уступ(и|а|ка)|скин(ь|е|у)|сбав"
        r"|\b(discount|cheaper|best price|lower price|knock off|haggle)\b",
        "Цены для всех одни, скидку в переписке не обещаем.",
        "The prices are the same for everybody, and we promise no discount in the chat.",
    ),
    _rule(
        "payment",
        r"оплат|предоплат|\bкартой\b|наличн|перевод|\b(pay|payment|prepay|by card|cash)\b",
        "Оплата после проверки, картой или наличными; предоплаты не берём.",
        "You pay after the check, by card or in cash; we take no money in advance.",
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
        "courier",
        r"курьер|\b(courier|pick it up from)\b",
        "Курьер забирает телефон по городу; дорога бесплатна, если ремонт дороже 3 000 ₽.",
        "A courier fetches the phone in the city, free of charge for repairs over 3,000 ₽.",
    ),
    _rule(
        "status",
        r"готов\w* ли|уже готов|(ещё|еще) не готов|статус|когда (можно )?забрать"
        r"|\b(is (it|my phone|my repair) ready|repair status|status of my)\b",
        "Готовность ремонта смотрит сотрудник. Пришлите, пожалуйста, номер квитанции.",
        "A colleague looks up how far a repair is. Please send the number of the receipt.",
    ),
    _rule(
        "receipt",
        r"квитанци\w*[ №:]*\d+|№ ?\d+|\breceipt( number| no\.?)?[ #:]*\d+",
        "Передаём номер сотруднику: он проверит и ответит здесь же.",
        "We pass the number to a colleague, who will check it and answer here.",
        person=True,
    ),
    _rule(
        "person",
        r"оператор|менеджер|живо(й|го|му) человек|с человеком|позовите|перезвоните|позвоните"
        r"|\b(human|(real|live) person|operator|manager|call me)\b|\bto a person\b",
        "Передаём ваш вопрос сотруднику: он ответит здесь же в рабочее время.",
        "We pass your question to a colleague, who will answer here during working hours.",
        person=True,
    ),
    _rule(
        "elsewhere",
        r"(в|на|через|есть|ваш) (ватсап|вотсап|whatsapp|телеграм\w*|telegram|вк|инстаграм\w*)"
        r"|\b(on|in|use|have|via) (whatsapp|telegram|instagram)\b",
        "Отвечаем прямо здесь, в этом чате: писать в другом месте не нужно.",
        "We answer right here in this chat; there is no need to write elsewhere.",
    ),
    _rule(
        "form",
        r"заявк|запис(ь|ать|аться)|запиш|\b(book|appointment|request form)\b",
        "Заявку приняли: напишите удобное время, и мы подтвердим запись.",
        "We have your request: tell us when it suits you, and we confirm the time.",
    ),
    _rule(
        "for sale",
        r"продан[оа]?\b|актуальн|(ещё|еще) (есть|прода[её]те|в продаже)|в наличии|\b(available|for sale)\b",
        "Да, это наше объявление: «{ad_title}», {ad_price}.",
        "Yes, that is our ad: «{ad_title}», {ad_price}.",
        ad=True,
    ),
    _rule(
        "delivery",
        r"доставк|отправ(ите|ляете|ить)|\b(deliver(y)?|ship(ping)?)\b",
        "Отправляем Авито Доставкой: её можно оформить в объявлении.",
        "We ship by Avito Delivery: order it in the ad.",
        ad=True,
    ),
    _rule("long", r"подробно|\blong answer\b", _file("long_answer.ru.txt"), _file("long_answer.en.txt")),
)

#: Asked when no rule above has an answer, the first that fits.
OTHERWISE: tuple[Rule, ...] = (
    _rule(
        "price of the ad",
        r"сколько|\bцен|сто(ит|имость)|поч[её]м|\b(how much|price|cost)\b",
        "По объявлению «{ad_title}» цена {ad_price}.",
        "The price in the ad «{ad_title}» is {ad_price}.",
        ad=True,
    ),
    _rule(
        "thanks",
        r"\b(спасибо|благодар|понял|понятно|хорошо|thanks|thank you|great|got it)\b",
        "Пожалуйста! Будут вопросы, пишите сюда.",
        "You are welcome! Write here if anything comes up.",
    ),
    _rule(
        "model",
        r"\b(i?phone|айфон\w*|samsung|самсунг\w*|galaxy|xiaomi|ксиоми|сяоми|redmi|редми|honor|huawei|pixel)\b",
        "Модель записали. Что с телефоном? Точную цену мастер назовёт после бесплатной диагностики.",
        "We have noted the model. What happened to it? The technician names the price after a free check.",
    ),
)
