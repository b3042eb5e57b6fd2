import * as api from "./api.js";
import { Backstage } from "./backstage.js";
import { keys } from "./bubble.js";
import { Composer } from "./composer.js";
import { Log } from "./log.js";
import { speak, spoken, t } from "./words.js";

const at = (id) => document.getElementById(id);
const state = { channels: [], people: [], channel: "", customer: "", topic: "" };
const onPress = (letter) => attempt(() => send(letter, target()));
const log = new Log(at("log"), { onPress, onDelete: (id) => attempt(() => api.remove(state.channel, id)) });
const composer = new Composer({ send: (letter, to) => attempt(() => send(letter, to)), target, notice });
const backstage = new Backstage({ channel: () => state.channel, chat: () => chat()?.id, attempt });
let noticeEnds = 0;
let looks = 0;

function notice(words, seconds = 6) {
  at("notice").textContent = words;
  at("notice").hidden = !words;
  noticeEnds = Date.now() + seconds * 1000;
}

/** Do it, show what was refused, and look at once at what changed. */
async function attempt(action) {
  try {
    await action();
    await refresh();
    return true;
  } catch (error) {
    notice(error instanceof api.Refusal ? error.message : t("offline"));
    return false;
  }
}

const channel = () => state.channels.find((known) => known.name === state.channel);
const person = () => state.people.find((known) => known.customer === state.customer);

/** The chosen topic is an ad (`ad:1`) or a chat without one (`chat:x`). */
function chat() {
  return person()?.chats.find((known) => `chat:${known.id}` === state.topic || `ad:${known.topic}` === state.topic);
}

/** Where a message goes that is begun now, whatever is chosen by the time it is ready. */
function target() {
  const place = chat() ? { chat: chat().id } : state.topic ? { ad: Number(state.topic.slice(3)) } : {};
  return { channel: state.channel, customer: state.customer, place };
}

const send = (letter, to) => api.write(to.channel, to.customer, { ...letter, ...to.place });

function fill(select, options, chosen) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  }
  select.value = options.some(([value]) => value === chosen) ? chosen : (options[0]?.[0] ?? "");
  return select.value;
}

const labelled = (title, note) => (note ? `${title} · ${note}` : title);

function topics() {
  const ads = channel()?.topics.map((ad) => [`ad:${ad.id}`, labelled(ad.title, ad.note)]) ?? [];
  const others = person()?.chats.filter((known) => !known.topic) ?? [];
  return [...ads, ...others.map((known) => [`chat:${known.id}`, labelled(known.title, known.typing ? "" : known.note)])];
}

function showChoice() {
  state.channel = fill(at("channel"), state.channels.map((c) => [c.name, c.title]), state.channel);
  state.customer = fill(at("customer"), state.people.map((p) => [p.customer, p.customer]), state.customer);
  const options = topics();
  state.topic = fill(at("topic"), options, state.topic);
  at("topic-row").hidden = options.length < 2;
  const title = channel()?.title ?? "";
  at("avatar").textContent = title.slice(0, 1);
  at("peer").textContent = `${t("shop")} · ${title}`;
  const about = options.find(([value]) => value === state.topic)?.[1] ?? "";
  at("about").textContent = chat()?.typing ? t("typing") : about;
  at("about").classList.toggle("typing", Boolean(chat()?.typing));
  at("writing").disabled = !state.customer;
  composer.turnTo(`${state.channel}\n${state.customer}`);
  showKeyboard(chat()?.keyboard ?? []);
}

function showKeyboard(rows) {
  const wanted = JSON.stringify([state.channel, state.customer, state.topic, rows]);
  if (at("keyboard").dataset.rows === wanted) return;
  at("keyboard").dataset.rows = wanted;
  at("keyboard").hidden = rows.length === 0;
  at("keyboard").replaceChildren(...keys(rows, onPress));
}

/** Only the latest look counts: an earlier one may be of another channel or person. */
async function refresh() {
  const look = ++looks;
  const { customers } = await api.customers(state.channel);
  if (look !== looks) return;
  state.people = customers;
  showChoice();
  const shown = chat();
  const all = shown ? (await api.messages(state.channel, state.customer)).messages : [];
  if (look !== looks) return;
  const mine = all.filter((message) => message.chat_id === shown?.id);
  log.show(mine);
  const unread = mine.some((message) => message.direction === "out" && !message.read);
  if (unread && document.visibilityState === "visible") await api.read(state.channel, state.customer, shown.id);
  await backstage.refresh(() => look === looks);
}

async function tick() {
  try {
    if (state.channels.length === 0) state.channels = (await api.channels()).channels;
    if (!state.channel) showChoice();
    await refresh();
    if (Date.now() > noticeEnds || at("notice").textContent === t("offline")) notice("", 0);
  } catch {
    notice(t("offline"));
  }
  setTimeout(tick, 1000);
}

function choose(name, value) {
  state[name] = value;
  looks += 1;
  if (name === "channel") {
    state.people = [];
    state.customer = state.topic = "";
    showChoice();
  }
  log.clear();
  attempt(() => {});
}

for (const name of ["channel", "customer", "topic"]) {
  at(name).addEventListener("change", (event) => choose(name, event.target.value));
}
at("new-customer").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("new-name").value.trim();
  if (!name) return;
  attempt(async () => {
    const asked = state.channel;
    const met = await api.meet(asked, name);
    at("new-name").value = "";
    if (asked !== state.channel) return;
    looks += 1;
    state.customer = met.customer;
    log.clear();
  }).then(() => at("text").focus());
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    speak(button.dataset.language);
    composer.speak();
    backstage.speak();
    log.clear();
    attempt(() => {});
  });
}

speak(spoken());
log.clear();
tick();
