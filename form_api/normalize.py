"""A form as a unified message. Pure: the caller gives the id and the time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.ids import ChannelName, ChatId, MessageId, UserId
from core.messages import IncomingMessage, Meta
from form_api.forms import Quiz, Submit

CHANNEL = ChannelName("form")
SHOWN_ANSWERS = 30
ANSWER_LENGTH = 300
_TECHNICAL = ("utm_", "_", "yclid", "gclid", "fbclid", "csrf")


def normalize(
    form: Submit | Quiz, *, message_id: str, received: datetime, raw: Mapping[str, Any]
) -> IncomingMessage:
    """The message that the agent reads; the phone is both the customer and the chat."""
    return IncomingMessage(
        channel=CHANNEL,
        external_user_id=UserId(form.phone),
        external_chat_id=ChatId(form.phone),
        external_message_id=MessageId(message_id),
        text=summary(form),
        timestamp=received,
        client_name=form.name,
        client_phone=form.phone,
        client_email=form.email,
        meta=Meta(ad_channel=CHANNEL, ad_id=form.form_id, ad_url=form.page_url, raw=dict(raw)),
    )


def summary(form: Submit | Quiz) -> str:
    """The submission in words, as an operator would read it out."""
    quiz = form.quiz_answers if isinstance(form, Quiz) else []
    what = "Квиз" if isinstance(form, Quiz) else "Заявка с формы"
    said = f": {form.message}" if form.message else ""
    lines = [f"{what} «{form.form_id}»{said}"]
    lines += [_answered(one.question, one.answer) for one in quiz]
    lines += _own_answers(form.answers)
    lines += [f"Имя: {form.name}", f"Телефон: {form.phone}"]
    lines += [f"E-mail: {form.email}"] if form.email else []
    lines += [f"Страница: {form.page_url}"] if form.page_url else []
    return "\n".join(lines)


def _own_answers(answers: Mapping[str, Any]) -> list[str]:
    """The page's own questions that a person would want to read; the rest stays in meta.raw."""
    shown = [
        _answered(name, str(value)[:ANSWER_LENGTH])
        for name, value in answers.items()
        if isinstance(value, str | int | float) and str(value).strip() and not name.startswith(_TECHNICAL)
    ]
    return shown[:SHOWN_ANSWERS]


def _answered(question: str, answer: str) -> str:
    return f"{question[:ANSWER_LENGTH]} — {answer or 'без ответа'}"
