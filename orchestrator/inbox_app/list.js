const at = (id) => document.getElementById(id);

/** An element with words in it. Words of customers are never markup: they are only ever set as text. */
function made(name, { words = "", kind = "", ...properties } = {}, ...inside) {
  const element = Object.assign(document.createElement(name), properties);
  if (kind) element.className = kind;
  if (words) element.textContent = words;
  element.append(...inside);
  return element;
}

/** The words of a customer, which may run from right to left. */
const theirs = (words, kind = "words") => made("bdi", { words, kind, dir: "auto" });

/** Make the children of `parent` those of `items`; what did not change stays, and keeps the focus. */
function sync(parent, items, make) {
  const there = new Map([...parent.children].map((child) => [child.dataset.of, child]));
  const focused = document.activeElement?.closest?.("[data-of]")?.dataset.of;
  items.forEach(({ of, ...item }, place) => {
    const mark = JSON.stringify(item) + spoken;
    let child = there.get(of);
    if (child?.dataset.mark !== mark) {
      child?.remove();
      child = make(item);
      Object.assign(child.dataset, { of, mark });
    }
    there.delete(of);
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  for (const left of there.values()) left.remove();
  const lost = focused && !parent.contains(document.activeElement) && parent.querySelector(`[data-of="${focused}"]`);
  if (lost && document.activeElement === document.body) lost.querySelector("button")?.focus();
}

function whoHas(line) {
  if (line.taken_by) return t("at_work", { agent: line.taken_by });
  if (!line.paused) return "";
  const handed = line.pause_cause === "hand_off";
  const words = t(handed ? "handed" : "has", { name: line.paused_by || t("a_person") });
  return line.paused_until ? `${words} ${t("until", { time: clock(line.paused_until) })}` : words;
}

function about(line) {
  const account = line.account === "default" ? "" : line.account;
  const priority = line.priority === "normal" ? "" : t(line.priority);
  return [line.channel, account, t(line.status), priority].filter(Boolean).join(" · ");
}

/** The row of a conversation in the list: one button. */
function row(line, current, open) {
  const wait = line.waiting_since ? t("waits", { time: since(line.waiting_since) }) : "";
  const parts = [
    made("span", { kind: "name" }, theirs(line.client_name_untrusted || t("no_name"))),
    made("span", { kind: "wait", words: wait }),
    made("span", { kind: "where", words: about(line) }),
    made("span", { kind: "last" }, theirs(line.last_text_untrusted)),
    made("span", { kind: "who", words: whoHas(line) }),
  ];
  const button = made("button", { type: "button", kind: "row" }, ...parts);
  if (current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", open);
  return made("li", {}, button);
}
