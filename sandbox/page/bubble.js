import { locale, t } from "./words.js";

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The page may be open under another name of this machine than the one in the links. */
function local(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

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

function file(message) {
  const link = make("a", "words", `${t("unsupported")}: ${message.type}`);
  link.href = local(message.file_url);
  link.target = "_blank";
  return link;
}

function body(message) {
  if (message.type === "deleted") return [make("em", "gone", t("deleted"))];
  const parts = [];
  if (message.image_url) parts.push(picture(message));
  else if (message.voice_url) parts.push(voice(message));
  else if (message.file_url) parts.push(file(message));
  if (message.text) parts.push(make("p", "words", message.text));
  if (parts.length === 0) parts.push(make("p", "words", `${t("unsupported")}: ${message.type}`));
  return parts;
}

function key(given, onPress) {
  if (given.url && /^https?:/.test(given.url)) {
    const link = make("a", "key", `${given.text} ↗`);
    link.href = given.url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }
  const button = make("button", "key", given.text);
  button.type = "button";
  button.disabled = !given.press;
  button.addEventListener("click", async () => {
    button.disabled = true;
    await onPress(given.press);
    button.disabled = false;
  });
  return button;
}

/** Rows of buttons, under a message or in place of the phone's own keyboard. */
export function keys(rows, onPress) {
  return rows.map((row) => {
    const line = make("div", "keys");
    line.append(...row.map((given) => key(given, onPress)));
    return line;
  });
}

function ticks(message) {
  const seen = make("span", message.read ? "ticks seen" : "ticks", message.read ? "✓✓" : "✓");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", message.read ? t("read") : t("sent"));
  return seen;
}

function deleter(message, onDelete) {
  const button = make("button", "delete", "✕");
  button.type = "button";
  button.title = t("deleteIt");
  button.setAttribute("aria-label", t("deleteIt"));
  button.addEventListener("click", () => onDelete(message.id));
  return button;
}

const isMine = (message) => message.direction === "in" && message.via === "customer";

function foot(message, onDelete) {
  const line = make("div", "foot");
  const at = new Date(message.created * 1000);
  const time = make("time", "", at.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = at.toISOString();
  if (message.edited) line.append(make("span", "", t("edited")));
  line.append(time);
  if (isMine(message)) {
    line.append(ticks(message));
    if (message.type !== "deleted") line.append(deleter(message, onDelete));
  }
  return line;
}

function marks(message) {
  const line = make("div", "marks", message.marks.join(" "));
  line.setAttribute("role", "img");
  line.setAttribute("aria-label", `${t("marks")}: ${message.marks.join(" ")}`);
  return line;
}

/** One message as a list item. */
export function bubble(message, { onDelete, onPress }) {
  const item = make("li", isMine(message) ? "mine" : "theirs");
  const balloon = make("div", "bubble");
  balloon.append(make("span", "hidden", `${message.author}:`), ...body(message));
  if (message.marks?.length) balloon.append(marks(message));
  balloon.append(foot(message, onDelete));
  item.append(balloon);
  item.append(...keys(message.buttons ?? [], onPress));
  item.append(...(message.notes ?? []).map((words) => make("p", "note", words)));
  return item;
}

/** What a bubble shows; links may be new each time, so they do not count. */
export const looks = ({ type, text, read, edited, marks, buttons, notes }) =>
  JSON.stringify([type, text, read, edited, marks, buttons, notes]);
