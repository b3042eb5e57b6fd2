import { bubble, looks, make } from "./bubble.js";
import { locale, t } from "./words.js";

const dayOf = (message) =>
  new Date(message.created * 1000).toLocaleDateString(locale(), { day: "numeric", month: "long" });

/** A reaction is shown at its message, where that is known. */
const isMark = (message) => message.type === "reaction" && message.quote;

/** Keeps the list in step with the messages; unchanged bubbles stay, so that players keep playing. */
export class Log {
  constructor(list, handlers) {
    this.list = list;
    this.window = list.parentElement;
    this.handlers = handlers;
    this.shown = new Map();
    this.last = "";
  }

  clear() {
    this.shown.clear();
    this.last = "";
    this.list.replaceChildren(make("li", "empty", t("empty")));
  }

  show(messages) {
    if (messages.length === 0) return this.clear();
    const atEnd = this.window.scrollHeight - this.window.scrollTop - this.window.clientHeight < 80;
    const newest = messages[messages.length - 1];
    const wrote = newest.id !== this.last && newest.direction === "in";
    this.place(this.nodes(messages.filter((message) => !isMark(message))));
    if (atEnd || wrote || !this.last) this.window.scrollTop = this.window.scrollHeight;
    this.last = newest.id;
  }

  /** Moves nothing that is in its place: a player that moves stops playing. */
  place(nodes) {
    const wanted = new Set(nodes);
    const hadFocus = this.list.contains(document.activeElement);
    for (const node of [...this.list.children]) if (!wanted.has(node)) node.remove();
    nodes.forEach((node, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
    if (hadFocus && !this.list.contains(document.activeElement)) this.window.focus();
  }

  nodes(messages) {
    const nodes = [];
    let day = "";
    for (const message of messages) {
      if (dayOf(message) !== day) nodes.push(this.kept(`day ${(day = dayOf(message))}`, "", () => make("li", "day", day)));
      nodes.push(this.kept(message.id, looks(message), () => bubble(message, this.handlers)));
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
