import { locale, t } from "./words.js";

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

const local = (url) => {
  const { pathname } = new URL(url, location.href);
  return pathname;
};

function picture(message) {
  const link = make("a", "picture");
  const image = make("img");
  link.href = image.src = local(message.image_url);
  link.target = "_blank";
  image.alt = t("picture");
  image.loading = "lazy";
  link.append(image);
  return link;
}

function voice(message) {
  const player = make("audio", "voice");
  player.controls = true;
  player.preload = "metadata";
  player.src = local(message.voice_url);
  player.setAttribute("aria-label", t("voice"));
  return player;
}

function body(message) {
  if (message.type === "deleted") return make("em", "gone", t("deleted"));
  if (message.image_url) return picture(message);
  if (message.voice_url) return voice(message);
  if (message.text) return make("p", "words", message.text);
  return make("p", "words", `${t("unsupported")}: ${message.type}`);
}

function ticks(message) {
  const seen = make("span", message.read ? "ticks seen" : "ticks", message.read ? "✓✓" : "✓");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", message.read ? t("read") : t("sent"));
  return seen;
}

function foot(message, onDelete) {
  const line = make("div", "foot");
  const time = make("time", "", new Date(message.created * 1000).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(message.created * 1000).toISOString();
  line.append(time);
  if (message.direction === "in" && message.via === "customer") {
    line.append(ticks(message));
    if (message.type !== "deleted") line.append(deleter(message, onDelete));
  }
  return line;
}

function deleter(message, onDelete) {
  const button = make("button", "delete", "✕");
  button.type = "button";
  button.title = t("deleteIt");
  button.setAttribute("aria-label", t("deleteIt"));
  button.addEventListener("click", () => onDelete(message.id));
  return button;
}

function bubble(message, onDelete) {
  const mine = message.direction === "in" && message.via === "customer";
  const item = make("li", `bubble ${mine ? "mine" : "theirs"}`);
  item.append(make("span", "hidden", `${message.author}:`), body(message), foot(message, onDelete));
  return item;
}

const dayOf = (message) =>
  new Date(message.created * 1000).toLocaleDateString(locale(), { day: "numeric", month: "long" });

/** Keeps the list in step with the messages; unchanged bubbles stay, so that players keep playing. */
export class Log {
  constructor(list, onDelete) {
    this.list = list;
    this.onDelete = onDelete;
    this.shown = new Map();
  }

  clear() {
    this.shown.clear();
    this.list.replaceChildren(make("li", "empty", t("empty")));
  }

  show(messages) {
    if (messages.length === 0) return this.clear();
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 80;
    const before = this.shown.size;
    const nodes = this.nodes(messages);
    if (nodes.some((node, index) => this.list.children[index] !== node) || nodes.length !== this.list.children.length) {
      this.list.replaceChildren(...nodes);
    }
    if (atEnd || before === 0) this.list.scrollTop = this.list.scrollHeight;
  }

  nodes(messages) {
    const nodes = [];
    let day = "";
    for (const message of messages) {
      if (dayOf(message) !== day) nodes.push(this.kept(`day ${(day = dayOf(message))}`, "", () => make("li", "day", day)));
      nodes.push(this.kept(message.id, `${message.type} ${message.read}`, () => bubble(message, this.onDelete)));
    }
    return nodes;
  }

  kept(key, state, build) {
    const known = this.shown.get(key);
    if (known?.state === state) return known.node;
    const node = build();
    this.shown.set(key, { state, node });
    return node;
  }
}
