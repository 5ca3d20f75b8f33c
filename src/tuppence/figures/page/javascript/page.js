// The controls that all models of the page share: the prompt, the temperature, and who is writing.

const LONGEST_TEXT = 60; // new tokens for each press of "Write"

/** A piece of work that can be cancelled, and that lets the page answer in between. */
class Work {
  constructor() {
    this.cancelled = false;
    this.lastPause = performance.now();
  }

  isLate() {
    return performance.now() - this.lastPause > 12;
  }

  /** Waits for the page to draw, at least `least` milliseconds; returns at once if it drew a moment ago. */
  async pause(least = 0) {
    if (!least && !this.isLate()) return;
    await new Promise((resolve) => setTimeout(resolve, least));
    this.lastPause = performance.now();
  }
}

function startPage(root) {
  const packed = JSON.parse(document.getElementById("live-models").textContent);
  const find = (name) => root.querySelector(`.live-${name}`);
  const form = find("form"), prompt = find("prompt"), write = find("write"), temperature = find("temperature");
  const chat = find("chat");
  const panels = packed.models.map((model) => {
    const element = find("panel-template").content.firstElementChild.cloneNode(true);
    find("panels").append(element);
    return new Panel(element, model, () => Number(temperature.value));
  });
  root.classList.toggle("live-several", panels.length > 1);
  chat.parentElement.hidden = !panels.some((panel) => panel.template);
  prompt.value = packed.prompt;
  let work = new Work(), isWriting = false;

  /** Cancels what is being done, and does something else. */
  async function instead(task) {
    work.cancelled = true;
    const mine = (work = new Work());
    try {
      await task(mine);
    } finally {
      if (mine === work) setWriting(false);
    }
  }

  function setWriting(value) {
    isWriting = value;
    write.textContent = value ? "Stop" : "Write";
  }

  function read() {
    setWriting(false);
    return instead((mine) =>
      Promise.all(panels.map((panel) => panel.readPrompt(panel.encode(prompt.value, chat.checked), mine))));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isWriting) {
      work.cancelled = true;
      setWriting(false);
      return;
    }
    instead(async (mine) => {
      setWriting(true);
      await Promise.all(panels.map(async (panel) => {
        await panel.readRest(mine);
        for (let count = 0; count < LONGEST_TEXT && !mine.cancelled; count++) {
          if (!await panel.writeOne()) break;
          await mine.pause(20);
        }
      }));
    });
  });
  prompt.addEventListener("input", read);
  chat.addEventListener("change", read);
  find("again").addEventListener("click", read);
  temperature.addEventListener("input", () => {
    find("temperature-value").textContent = temperature.value;
    for (const panel of panels) panel.show(panel.selected);
  });
  for (const panel of panels) panel.onAlternative = (token) => instead(() => panel.takeAlternative(token));
  root.classList.add("live-ready");
  return read();
}

if (typeof document === "undefined") {
  serveThread();
} else {
  const root = document.querySelector(".live"), fold = root.closest("details");
  if (!fold || fold.open) startPage(root);
  else fold.addEventListener("toggle", () => startPage(root), {once: true});
}
