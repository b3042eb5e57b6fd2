import { t } from "./words.js";

const at = (id) => document.getElementById(id);

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1]);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

const attachment = async (blob) => ({ base64: await base64(blob), type: blob.type.split(";")[0] });

/** The line at the bottom: text, a photo waiting to be sent, and voice. Each customer has their own. */
export class Composer {
  constructor({ send, target, notice }) {
    this.send = send;
    this.target = target;
    this.notice = notice;
    this.photo = null;
    this.owner = "";
    this.drafts = new Map();
    this.recorder = null;
    this.since = 0;
    this.ticking = 0;
    this.text = at("text");
    this.listen();
  }

  listen() {
    at("composer").addEventListener("submit", (event) => this.submit(event));
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.submit(event);
    });
    this.text.addEventListener("input", () => this.grow());
    at("pick-photo").addEventListener("click", () => at("file").click());
    at("file").addEventListener("change", () => this.pick(at("file").files[0]));
    at("detach").addEventListener("click", () => this.attach(null));
    at("sample-photo").addEventListener("click", () => this.send({ image: true }, this.target()));
    at("sample-voice").addEventListener("click", () => this.send({ voice: true }, this.target()));
    at("record").addEventListener("click", () => (this.recorder ? this.recorder.stop() : this.record()));
  }

  speak() {
    const seconds = Math.floor((Date.now() - this.since) / 1000);
    const length = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    at("record-words").textContent = this.recorder ? `${t("stop")} ${length}` : t("record");
  }

  /** What is unsent stays with the customer who wrote it. */
  turnTo(owner) {
    if (owner === this.owner) return;
    this.drafts.set(this.owner, { words: this.text.value, photo: this.photo });
    this.owner = owner;
    this.restore(this.drafts.get(owner) ?? { words: "", photo: null });
  }

  restore({ words, photo }) {
    this.text.value = words;
    this.grow();
    this.attach(photo);
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 120)}px`;
  }

  pick(file) {
    this.attach(file);
    this.text.focus();
  }

  attach(file) {
    this.photo = file ?? null;
    at("attached").hidden = !file;
    at("file").value = "";
    if (at("preview").src) URL.revokeObjectURL(at("preview").src);
    at("preview").removeAttribute("src");
    if (!file) return;
    at("preview").src = URL.createObjectURL(file);
    at("attached-name").textContent = file.name;
  }

  async submit(event) {
    event.preventDefault();
    const words = this.text.value.trim();
    if (!words && !this.photo) return;
    const [to, owner, unsent] = [this.target(), this.owner, { words: this.text.value, photo: this.photo }];
    this.restore({ words: "", photo: null });
    const letter = words ? { text: words } : {};
    if (unsent.photo) letter.image = await attachment(unsent.photo);
    if (await this.send(letter, to)) return;
    if (owner !== this.owner) this.drafts.set(owner, unsent);
    else if (!this.text.value && !this.photo) this.restore(unsent);
  }

  async record() {
    const to = this.target();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      this.notice(t("noMicrophone"));
      await this.send({ voice: true }, to);
      return;
    }
    const parts = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    this.recorder.addEventListener("stop", () => this.recorded(stream, parts, to));
    this.recorder.start();
    this.showRecording(true);
  }

  async recorded(stream, parts, to) {
    const type = this.recorder.mimeType;
    for (const track of stream.getTracks()) track.stop();
    this.recorder = null;
    this.showRecording(false);
    const blob = new Blob(parts, { type });
    if (blob.size) await this.send({ voice: await attachment(blob) }, to);
  }

  showRecording(on) {
    at("record").setAttribute("aria-pressed", String(on));
    this.since = Date.now();
    clearInterval(this.ticking);
    if (on) this.ticking = setInterval(() => this.speak(), 200);
    this.speak();
  }
}
