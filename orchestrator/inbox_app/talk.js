/** What the customer and we said, with files as links and what became of our messages. */
function message(said, { openLink, explain }) {
  const ours = said.sender === "agent" || said.sender === "operator";
  const head = `${t(`said_${said.sender}`)} · ${clock(said.sent_at)}`;
  const item = made("li", { kind: ours ? "ours" : "" }, made("p", { kind: "small", words: head }));
  if (said.text_untrusted) item.append(made("p", { kind: "words", dir: "auto", words: said.text_untrusted }));
  for (const url of said.file_urls) item.append(link(url, openLink));
  if (said.delivery_state) item.append(fate(said, explain));
  return item;
}

/** Only https opens, and only through the host; all else is shown as words. */
function link(url, openLink) {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address?.protocol !== "https:") return made("p", { kind: "small words", words: t("attachment", { url }) });
  const words = t("open_link", { host: address.host });
  const button = made("button", { type: "button", kind: "link", words, title: url });
  button.addEventListener("click", () => openLink(address.href));
  return made("p", {}, button);
}

function fate(said, explain) {
  const state = said.delivery_state;
  const bad = state === "failed" || state === "unknown";
  const line = made("p", { kind: "small" });
  line.append(made("span", { kind: bad ? "failed" : "", words: t(state === "sending" ? "sending_state" : state) }));
  if (bad && said.delivery_id) {
    const why = made("button", { type: "button", kind: "link", words: t("why") });
    why.addEventListener("click", async () => why.replaceWith(made("span", { words: ` ${await explain(said.delivery_id)}` })));
    line.append(why);
  }
  return line;
}

function note(one) {
  return made("li", {}, made("p", { kind: "small", words: `${one.by} · ${clock(one.at)}` }), theirs(one.text_untrusted));
}

/** Why nobody may write here with this key; "" when somebody may. */
function mute(you, line) {
  if (!you.may.includes(you.speaks_as === "agent" && line.turn_id ? "reply" : "send_message")) return t("mute_key");
  if (you.speaks_as === "operator") return "";
  if (line.paused) return t("mute_paused");
  return line.taken_by ? t("mute_taken", { agent: line.taken_by }) : "";
}

function voice(you, line, minutes) {
  if (you.speaks_as === "operator") return t("voice_operator", { minutes });
  return t(line.turn_id ? "voice_turn" : "voice_agent");
}

/** What may be done here, in the order of the buttons: {name, tool, given: its arguments}. */
function deeds(you, line) {
  const chat = { channel: line.channel, account: line.account, chat_id: line.chat_id };
  const appeal = { appeal_id: line.appeal_id };
  const free = you.speaks_as === "agent" && line.turn_id && !line.taken_by && !line.paused;
  const closes = line.status !== "resolved" && (you.speaks_as === "operator" || line.status !== "handed_off");
  const all = [
    { name: "pause", fits: !line.paused, given: (reason) => ({ ...chat, reason }) },
    { name: "resume", fits: line.paused, given: (reason) => ({ ...chat, reason }) },
    { name: "hand_off", fits: free, needed: true, leased: true, given: (reason) => ({ reason }) },
    { name: "note", tool: "update_appeal", fits: true, needed: true, given: (note) => ({ ...appeal, note }) },
    { name: "close", tool: "update_appeal", fits: closes, given: (reason) => ({ ...appeal, status: "resolved", reason }) },
  ];
  return all
    .map((one) => ({ tool: one.name, ...one }))
    .filter((one) => one.fits && you.may.includes(one.tool));
}
