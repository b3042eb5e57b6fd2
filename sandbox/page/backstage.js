import * as api from "./api.js";
import { t } from "./words.js";

const at = (id) => document.getElementById(id);
const PRESETS = {
  rate_limit: { calls: 3, retry_after: 2 },
  error: { status: 500, calls: 3 },
  drop_after_storing: 1,
  slow: 3,
  expired_token: true,
  plan: true,
  duplicate: 3,
  reorder: true,
  delay: 5,
  hold: true,
  silent_webhook: true,
};
const OFF = { rate_limit: null, error: null, drop_after_storing: 0, slow: 0, duplicate: 1, delay: 0 };

function isOn(name, value) {
  if (name === "duplicate") return value > 1;
  return Boolean(value) && value.calls !== 0;
}

/** What a customer never sees: the shop's person, the fault switches, the deliveries. */
export class Backstage {
  constructor({ channel, chat, attempt }) {
    this.channel = channel;
    this.chat = chat;
    this.attempt = attempt;
    this.boxes = {};
    this.faultsOf = "";
    at("calm").addEventListener("click", () => attempt(() => api.calm(channel())));
    at("operator").addEventListener("submit", (event) => this.write(event));
  }

  speak() {
    this.faultsOf = "";
  }

  async write(event) {
    event.preventDefault();
    const words = at("operator-text").value.trim();
    if (!words || !this.chat()) return;
    if (await this.attempt(() => api.operator(this.channel(), this.chat(), words))) at("operator-text").value = "";
  }

  async refresh(isCurrent) {
    at("operator").querySelector("button").disabled = !this.chat();
    const [{ faults }, { deliveries }] = await Promise.all([api.faults(this.channel()), api.deliveries(this.channel())]);
    if (!isCurrent()) return;
    this.showFaults(faults);
    this.showDeliveries(deliveries.reverse());
  }

  showFaults(faults) {
    if (this.faultsOf !== this.channel()) this.build(Object.keys(PRESETS).filter((name) => name in faults));
    for (const [name, box] of Object.entries(this.boxes)) {
      box.checked = isOn(name, faults[name]);
    }
  }

  build(names) {
    this.faultsOf = this.channel();
    this.boxes = {};
    at("faults").dataset.channel = this.faultsOf;
    at("faults").replaceChildren(...names.map((name) => this.box(name)));
  }

  box(name) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => {
      const value = box.checked ? PRESETS[name] : (name in OFF ? OFF[name] : false);
      this.attempt(() => api.setFaults(this.channel(), { [name]: value }));
    });
    this.boxes[name] = box;
    label.append(box, document.createTextNode(` ${t(name)}`));
    return label;
  }

  showDeliveries(lines) {
    const list = at("deliveries");
    const rows = lines.map((line) => {
      const row = document.createElement("li");
      const outcome = document.createElement("strong");
      outcome.textContent = line.status ?? "—";
      outcome.className = line.status === 200 ? "good" : "bad";
      const words = [line.type, line.attempt > 1 ? `${t("attempt")} ${line.attempt}` : "", line.error ?? ""];
      row.append(outcome, ` ${words.filter(Boolean).join(" · ")}`);
      return row;
    });
    if (rows.length === 0) {
      const row = document.createElement("li");
      row.textContent = t("noDeliveries");
      rows.push(row);
    }
    list.replaceChildren(...rows);
  }
}
