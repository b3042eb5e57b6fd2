const EVERY = 5_000;
const LONGEST = 60_000;
const host = new Host();
const drafts = new Map();
const state = { lines: [], more: false, open: "", talk: null, you: null, minutes: 0, failures: 0 };
let next = 0;
let looking = null;
let asking = null;
let ended = false;

const lineOf = (id) => state.lines.find((one) => one.appeal_id === id);
const draftOf = (id) => drafts.get(id) ?? drafts.set(id, new Draft()).get(id);
const current = () => ours(state.talk?.conversations[0]);

/** A turn that was taken here, for a draft that stands here, is taken by nobody else. */
function ours(line) {
  const taken = line && drafts.get(line.appeal_id)?.lease?.turn_id === line.turn_id && line.taken_by === state.you.name;
  return taken ? { ...line, taken_by: "" } : line;
}

/** Take an answer of show_inbox in: the list, or one conversation. */
function take(shown, appeal) {
  [state.you, state.minutes] = [shown.you, shown.pause_minutes];
  if (!appeal) {
    [state.lines, state.more] = [shown.conversations, shown.more];
  } else if (appeal === state.open) {
    state.talk = shown;
  }
  draw();
}

async function look() {
  const appeal = state.open;
  take(await host.call("show_inbox", {}), "");
  if (appeal) take(await host.call("show_inbox", { appeal_id: appeal }), appeal);
}

/** Look now; at most one look at a time, and another one when it fails, later each time. */
function refresh() {
  clearTimeout(next);
  if (ended || !host.capabilities.serverTools) return Promise.resolve();
  looking ??= look()
    .then(() => trouble(""), (error) => trouble(error instanceof Refused ? error.message : t("away")))
    .finally(() => {
      looking = null;
      schedule();
    });
  return looking;
}

/** A look that began before now may show what was before: wait for it, then look. */
async function lookAnew() {
  await looking;
  await refresh();
}

function schedule() {
  clearTimeout(next);
  const pause = Math.min(EVERY * 2 ** state.failures, LONGEST);
  if (!ended && document.visibilityState === "visible") next = setTimeout(refresh, pause);
}

function trouble(words) {
  state.failures = words ? state.failures + 1 : 0;
  at("trouble").hidden = !words;
  if (at("trouble-words").textContent !== words) at("trouble-words").textContent = words;
}

function tell(words) {
  at("said").textContent = words;
}

function draw() {
  const { you, lines } = state;
  at("who").textContent = t(`you_${you.speaks_as}`, { name: you.name });
  at("nobody").hidden = lines.length > 0;
  at("more").hidden = !state.more;
  const rows = lines.map((line) => ({ of: line.appeal_id, ...line, current: line.appeal_id === state.open, now: since(line.waiting_since || Date.now()) }));
  sync(at("conversations"), rows, (line) => row(line, line.current, () => open(line.appeal_id)));
  drawTalk();
}

function drawTalk() {
  const line = current();
  document.body.classList.toggle("open", Boolean(line));
  at("talk").hidden = !line;
  if (!line) return;
  at("with").replaceChildren(theirs(line.client_name_untrusted || t("no_name")));
  at("about").replaceChildren(`${about(line)} `, theirs(line.ad_title_untrusted));
  const wait = line.waiting_since ? t("waits", { time: since(line.waiting_since) }) : "";
  at("state").replaceChildren([wait, whoHas(line)].filter(Boolean).join(" · "), " ", theirs(line.pause_reason_untrusted));
  drawMessages();
  drawAnswer();
  drawDeeds();
}

function drawMessages() {
  const { messages, notes } = state.talk;
  const log = at("log");
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  const before = at("messages").childElementCount;
  const items = messages.map((said, place) => ({ of: `${said.delivery_id || said.sent_at}/${place}`, ...said }));
  sync(at("messages"), items, (said) => message(said, { openLink, explain }));
  if (atEnd || !before) log.scrollTop = log.scrollHeight;
  at("noted").hidden = notes.length === 0;
  sync(at("notes"), notes.map((one, place) => ({ of: `${place}`, ...one })), note);
}

function drawAnswer() {
  const line = current();
  const draft = draftOf(line.appeal_id);
  const silent = draft.busy || draft.uncertain ? "" : mute(state.you, line);
  at("voice").textContent = silent || voice(state.you, line, state.minutes);
  for (const id of ["text", "send"]) at(id).hidden = Boolean(silent);
  document.querySelector('label[for="text"]').hidden = Boolean(silent);
  if (at("text").value !== draft.text) at("text").value = draft.text;
  at("text").readOnly = draft.busy || draft.uncertain;
  at("send").setAttribute("aria-disabled", String(draft.busy || !draft.text.trim()));
  at("send").textContent = t(draft.busy ? "sending" : draft.uncertain ? "resend" : "send");
  at("another").hidden = draft.busy || !draft.uncertain;
  at("anyway").hidden = Boolean(silent) || draft.busy || draft.uncertain || !draft.yes;
  if (at("outcome").textContent !== draft.outcome) at("outcome").textContent = draft.outcome;
}

function drawDeeds() {
  const may = deeds(state.you, current());
  sync(at("deeds"), may.map((deed) => ({ of: deed.name })), () => made("button", { type: "button" }));
  may.forEach((deed, place) => {
    const button = at("deeds").children[place];
    button.textContent = t(deed.name);
    button.onclick = () => ask(deed);
  });
  if (asking && !may.some((deed) => deed.name === asking.deed.name) && !asking.busy) ask(null);
}

async function open(appeal) {
  ask(null);
  Object.assign(state, { open: appeal, talk: null });
  const line = lineOf(appeal);
  if (line) state.talk = { conversations: [line], messages: [], notes: [] };
  tell("");
  draw();
  if (appeal) at("with").focus();
  await lookAnew();
}

function close() {
  const was = state.open;
  ask(null);
  Object.assign(state, { open: "", talk: null });
  draw();
  at("conversations").querySelector(`[data-of="${was}"] button`)?.focus();
}

/** Once for each press that means something: while it goes on, and without words, a press is nothing. */
async function send(yes) {
  const line = current();
  const draft = draftOf(line.appeal_id);
  if (draft.busy || !draft.text.trim()) return;
  Object.assign(draft, { busy: true, outcome: "", yes });
  drawAnswer();
  try {
    await say(host, state.you, line, draft);
    draft.over();
    draft.text = "";
    tell(t("done_send"));
  } catch (error) {
    draft.uncertain = !(error instanceof Refused);
    if (!draft.uncertain) draft.yes = error.token ?? "";
    draft.outcome = draft.uncertain ? t("uncertain") : draft.yes ? unasked(line) : error.message;
  }
  draft.busy = false;
  if (current()) drawAnswer();
  await lookAnew();
  setTimeout(refresh, 1_000);
}

const unasked = (line) => t("confirmation_required", { where: `${line.channel}, ${line.chat_id}` });

/** Press Send: a yes is said again only where nobody knows what became of the words that it was said to. */
function sendOnce() {
  const draft = draftOf(state.open);
  return send(draft.uncertain ? draft.yes : "");
}

/** Ask for the words that go with a deed, and whether it is meant; null: ask no more. */
function ask(deed) {
  const was = asking;
  asking = deed ? { deed, appeal: state.open, busy: false } : null;
  at("ask").hidden = !deed;
  if (!deed) return was && at("deeds").querySelector(`[data-of="${was.deed.name}"]`)?.focus();
  at("ask-label").textContent = t(`${deed.name}_ask`);
  at("ask-yes").textContent = t(deed.name);
  at("ask-text").value = "";
  at("ask-text").focus();
}

async function act() {
  const words = at("ask-text").value.trim();
  const { deed, appeal, busy } = asking;
  if (busy) return;
  if (deed.needed && !words) return at("ask-text").focus();
  asking.busy = true;
  const draft = draftOf(appeal);
  try {
    if (deed.leased) draft.lease ??= await leaseOf(host, current().turn_id);
    const answer = await host.call(deed.tool, { ...(deed.leased && draft.lease), ...deed.given(words) });
    if (deed.leased && answer.status !== "handed_off") throw new Refused(answer.next_step);
    if (deed.leased) draft.lease = null;
    tell(t("done", { deed: t(deed.name) }));
    if (asking?.deed === deed) ask(null);
  } catch (error) {
    draft.outcome = error instanceof Refused ? error.message : t("uncertain_deed");
    if (deed.leased) await draft.giveBack(host);
    if (asking?.deed === deed) asking.busy = false;
    if (current()) drawAnswer();
  }
  await lookAnew();
}

async function openLink(url) {
  try {
    if (!host.capabilities.openLinks) throw new Refused();
    const answer = await host.request("ui/open-link", { url });
    if (answer.isError) throw new Refused();
  } catch {
    tell(t("no_link", { url }));
  }
}

async function explain(delivery) {
  try {
    const found = await host.call("get_delivery", { delivery_id: delivery });
    return [found.error_code, found.error_detail].filter(Boolean).join(": ") || t(found.state);
  } catch (error) {
    return error instanceof Refused ? error.message : t("away");
  }
}

function dress(context) {
  Object.assign(host.context, context);
  const { theme, styles, locale, timeZone, containerDimensions, safeAreaInsets, displayMode } = host.context;
  const root = document.documentElement;
  root.style.colorScheme = theme ?? "light dark";
  for (const [name, value] of Object.entries(styles?.variables ?? {})) if (value) root.style.setProperty(name, value);
  if (safeAreaInsets) {
    const { top, right, bottom, left } = safeAreaInsets;
    document.body.style.padding = [top, right, bottom, left].map((one) => `${one + 12}px`).join(" ");
  }
  root.style.minHeight = containerDimensions && "height" in containerDimensions ? "100vh" : "";
  const modes = host.context.availableDisplayModes ?? [];
  at("larger").hidden = !modes.includes("fullscreen") || displayMode === "fullscreen";
  speak(locale, timeZone);
  if (state.you) draw();
}

function listen() {
  host.on("ui/notifications/host-context-changed", dress);
  host.on("ui/notifications/tool-input", ({ arguments: given }) => {
    if (given?.appeal_id) state.open = given.appeal_id;
  });
  host.on("ui/notifications/tool-result", (result) => {
    try {
      take(facts(result), state.open);
    } catch (error) {
      trouble(error instanceof Refused ? error.message : t("away"));
    }
    if (!host.capabilities.serverTools) return trouble(t("no_tools"));
    refresh();
  });
  host.on("ui/notifications/tool-cancelled", () => void refresh());
  host.on("ping", () => ({}));
  host.on("ui/resource-teardown", () => {
    ended = true;
    clearTimeout(next);
    return {};
  });
}

function heedPerson() {
  at("refresh").addEventListener("click", refresh);
  at("again").addEventListener("click", refresh);
  at("back").addEventListener("click", close);
  at("larger").addEventListener("click", () => host.request("ui/request-display-mode", { mode: "fullscreen" }).catch(() => {}));
  at("send").addEventListener("click", sendOnce);
  at("anyway").addEventListener("click", () => {
    send(draftOf(state.open).yes);
    at("text").focus();
  });
  at("ask-yes").addEventListener("click", act);
  at("ask-no").addEventListener("click", () => ask(null));
  at("another").addEventListener("click", () => {
    const draft = draftOf(state.open);
    state.talk.conversations[0] = current(); // free, as the next look will show
    draft.giveBack(host).then(lookAnew);
    draft.over();
    draft.outcome = "";
    drawAnswer();
    at("text").focus();
  });
  at("text").addEventListener("input", () => {
    const draft = draftOf(state.open);
    draft.text = at("text").value;
    if (draft.yes) Object.assign(draft, { yes: "", outcome: "" });
    drawAnswer();
  });
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) sendOnce();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") asking ? ask(null) : state.open && close();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}

async function begin() {
  listen();
  heedPerson();
  speak();
  await host.open();
  dress({});
  new ResizeObserver(() => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    host.notify("ui/notifications/size-changed", { width: Math.ceil(width), height: Math.ceil(height) });
  }).observe(document.documentElement);
  schedule();
}

begin().catch(() => trouble(t("no_tools")));
