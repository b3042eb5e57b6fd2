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

/** The line at the bottom: text, a photo waiting to be sent, and voice. */
export class Composer {
  constructor(send, notice) {
    this.send = send;
    this.notice = notice;
    this.photo = null;
    this.recorder = null;
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
    at("file").addEventListener("change", () => this.attach(at("file").files[0]));
    at("detach").addEventListener("click", () => this.attach(null));
    at("sample-photo").addEventListener("click", () => this.send({ image: true }));
    at("sample-voice").addEventListener("click", () => this.send({ voice: true }));
    at("record").addEventListener("click", () => (this.recorder ? this.recorder.stop() : this.record()));
  }

  speak() {
    at("record-words").textContent = this.recorder ? t("stop") : t("record");
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 120)}px`;
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
    this.text.focus();
  }

  async submit(event) {
    event.preventDefault();
    const words = this.text.value.trim();
    if (!words && !this.photo) return;
    const letter = {};
    if (words) letter.text = words;
    if (this.photo) letter.image = await attachment(this.photo);
    const [kept, photo] = [this.text.value, this.photo];
    this.text.value = "";
    this.attach(null);
    this.grow();
    if (await this.send(letter)) return;
    this.text.value = kept;
    this.attach(photo);
  }

  async record() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      this.notice(t("noMicrophone"));
      await this.send({ voice: true });
      return;
    }
    const parts = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    this.recorder.addEventListener("stop", () => this.recorded(stream, parts));
    this.recorder.start();
    this.showRecording(true);
  }

  async recorded(stream, parts) {
    const type = this.recorder.mimeType;
    for (const track of stream.getTracks()) track.stop();
    this.recorder = null;
    this.showRecording(false);
    const blob = new Blob(parts, { type });
    if (blob.size) await this.send({ voice: await attachment(blob) });
  }

  showRecording(on) {
    at("record").setAttribute("aria-pressed", String(on));
    this.speak();
  }
}
