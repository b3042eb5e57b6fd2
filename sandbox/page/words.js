const WORDS = {
  en: {
    title: "Sandbox phone", who: "Who is writing", channel: "Channel", customer: "Customer",
    newCustomer: "New customer", add: "Add", topic: "About", log: "Messages", photo: "Photo",
    samplePhoto: "Sample photo", record: "Record", stop: "Stop", sampleVoice: "Sample voice",
    remove: "Remove", write: "Message", send: "Send", backstage: "Behind the scenes",
    operator: "The shop's own person writes", sendAsShop: "Send as the shop",
    misbehave: "Make the vendor misbehave", calm: "Behave again", deliveries: "Webhook deliveries",
    noDeliveries: "Nothing yet: no webhook is subscribed, or nobody wrote.",
    empty: "No messages yet. Write the first one.", sent: "Sent", read: "Read",
    deleted: "Message deleted", deleteIt: "Delete this message", picture: "Picture", voice: "Voice message",
    unsupported: "Attachment", offline: "The sandbox does not answer. Trying again…",
    noMicrophone: "No microphone here: sending the sample voice instead.", shop: "Shop", attempt: "attempt",
    rate_limit: "429 for the next 3 calls", error: "500 for the next 3 calls", slow: "Slow: 3 s per call",
    drop_after_storing: "Lose the next answer", duplicate: "Webhooks 3 times", reorder: "Webhooks out of order",
    delay: "Webhooks 5 s late", hold: "Webhooks wait", silent_webhook: "No webhooks", expired_token: "Tokens expire now",
    plan: "Plan lacks the API", typing: "typing…", edited: "edited", marks: "Reactions",
    keyboard: "Suggested answers",
  },
  ru: {
    title: "Телефон клиента", who: "Кто пишет", channel: "Канал", customer: "Клиент",
    newCustomer: "Новый клиент", add: "Добавить", topic: "О чём", log: "Сообщения", photo: "Фото",
    samplePhoto: "Пример фото", record: "Записать", stop: "Стоп", sampleVoice: "Пример голоса",
    remove: "Убрать", write: "Сообщение", send: "Отправить", backstage: "За кулисами",
    operator: "Пишет человек из мастерской", sendAsShop: "Отправить от мастерской",
    misbehave: "Пусть площадка сбоит", calm: "Снова без сбоев", deliveries: "Доставка вебхуков",
    noDeliveries: "Пока пусто: нет подписки или никто не писал.",
    empty: "Сообщений пока нет. Напишите первое.", sent: "Отправлено", read: "Прочитано",
    deleted: "Сообщение удалено", deleteIt: "Удалить это сообщение", picture: "Фотография", voice: "Голосовое сообщение",
    unsupported: "Вложение", offline: "Песочница не отвечает. Пробуем снова…",
    noMicrophone: "Микрофона нет: отправлен пример голоса.", shop: "Мастерская", attempt: "попытка",
    rate_limit: "429 на 3 запроса", error: "500 на 3 запроса", slow: "Медленно: 3 с на запрос",
    drop_after_storing: "Потерять ответ", duplicate: "Вебхуки трижды", reorder: "Вебхуки не по порядку",
    delay: "Вебхуки через 5 с", hold: "Вебхуки ждут", silent_webhook: "Без вебхуков", expired_token: "Токены истекли",
    plan: "Тариф без API", typing: "печатает…", edited: "изменено", marks: "Реакции",
    keyboard: "Готовые ответы",
  },
};

let language = localStorage.getItem("language") ?? (navigator.language.startsWith("ru") ? "ru" : "en");

export const t = (key) => WORDS[language][key] ?? key;
export const locale = () => (language === "ru" ? "ru-RU" : "en-GB");

export function speak(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen;
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  for (const node of document.querySelectorAll("[data-language]")) {
    node.setAttribute("aria-pressed", String(node.dataset.language === chosen));
  }
}

export const spoken = () => language;
