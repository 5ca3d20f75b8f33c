// One model in the page: its text as a strip of tokens, what each head looked at, and what may come next.
//
// The strip and the heads are one tab stop each: arrow keys move inside them.

const SHOWN = 8; // alternatives

class Panel {
  /** @param root  the element to fill; @param packed {name, model, tokenizer}; @param temperature () => number */
  constructor(root, packed, temperature) {
    this.packed = packed.model;
    this.model = new GPT(packed.model);
    this.thread = null;
    this.slow = 0; // how many tokens in a row took too long for the page's own thread
    this.ticket = 0; // of the latest change of the text: an answer to an earlier one comes too late
    this.latest = {}; // {hidden, logits} of the token that the thread read last
    this.root = root;
    this.tokenizer = new Tokenizer(packed.tokenizer);
    this.template = packed.tokenizer.template;
    this.temperature = temperature;
    this.text = this.model.emptyText();
    this.given = 0; // how many tokens of the text the prompt has
    this.unread = []; // those of them that are still to be read
    this.selected = 0;
    this.head = null; // {layer, head}, or null for the average of all
    const names = ["name", "note", "strip", "status", "columns", "heads", "looked", "next", "scale"];
    this.parts = Object.fromEntries(names.map((name) => [name, root.querySelector(`.live-${name}`)]));
    this.parts.name.textContent = packed.name;
    this.parts.note.textContent = packed.tokenizer.note;
    this.parts.note.hidden = !packed.tokenizer.note;
    this.parts.strip.setAttribute("aria-label", `Tokens of ${packed.name}`);
    this.parts.heads.setAttribute("aria-label", `Attention heads of ${packed.name}`);
    this.parts.strip.addEventListener("keydown", (event) => this.onStripKey(event));
    this.buildHeads();
    this.buildNext();
  }

  // ---- reading and writing --------------------------------------------------------------------------------------

  /** The ids of a prompt, as `tuppence generate` and `tuppence chat` make them. */
  encode(prompt, asInstruction) {
    const {template, tokenizer} = this;
    const ids = template && asInstruction ? tokenizer.encodeTurn(template, prompt) : tokenizer.encode(prompt);
    return ids.length ? ids : tokenizer.start;
  }

  /** Reads a prompt. What it has in common with the present text is not read again. */
  async readPrompt(ids, work) {
    const room = Math.max(1, Math.floor(0.75 * this.model.config.context_length));
    const kept = ids.slice(-room), {tokens} = this.text;
    let same = 0;
    while (same < kept.length && same < tokens.length && kept[same] === tokens[same]) same++;
    this.truncate(same);
    this.given = kept.length;
    this.unread = kept.slice(same);
    await this.readRest(work);
    if (work.cancelled) return;
    this.say(kept.length < ids.length
      ? `The text has ${ids.length} tokens. The model reads the newest ${kept.length}, so that it has room to write.`
      : "");
    this.show(tokens.length - 1);
  }

  /** Reads what a cancelled `readPrompt` left. */
  async readRest(work) {
    while (this.unread.length && !work.cancelled) {
      if (!await this.read(this.unread[0])) return;
      this.unread.shift();
      if (work.isLate()) this.say(`Reading: ${this.unread.length} tokens left.`);
      await work.pause();
    }
  }

  /** Reads one more token; returns whether it is in the text, which may have changed in the meantime. */
  async read(token) {
    const {text} = this, ticket = ++this.ticket;
    if (!this.thread) {
      const begun = performance.now();
      this.model.read(text, token);
      this.slow = performance.now() - begun > SLOW_TOKEN ? this.slow + 1 : 0;
      if (this.slow === 2) this.startThread();
      return true;
    }
    const {hidden, attention, logits} = await this.thread.read(text.tokens.length, token);
    if (ticket !== this.ticket) return false;
    text.tokens.push(token);
    text.hidden.push(hidden);
    text.attention.push(attention);
    this.latest = {hidden, logits};
    return true;
  }

  startThread() {
    try {
      const thread = new Thread(this.packed, () => {
        thread.takeOver(this.text);
        this.thread = thread;
        this.root.dataset.thread = "ready";
      });
    } catch { // the browser refuses it: the page reads on
    }
  }

  truncate(length) {
    this.ticket++;
    this.model.truncate(this.text, length);
  }

  /** Draws one more token and reads it; returns whether the text can go on after it. */
  async writeOne() {
    if (!this.text.tokens.length) return false; // an empty prompt, and the tokenizer has no token that begins a text
    const token = draw(this.predict(this.text.tokens.length - 1), Math.random());
    return this.goOnWith(token);
  }

  async goOnWith(token) {
    if (this.isFull()) {
      this.say(`The model's context is full: ${this.model.config.context_length} tokens. `
        + "Choose an earlier token to go on from there, or start again.");
      return false;
    }
    if (!await this.read(token)) return false;
    const ended = this.tokenizer.stops.has(token);
    this.say(ended ? "The model ended the text." : "");
    this.show(this.text.tokens.length - 1);
    return !ended;
  }

  /** Cuts the text behind the selected token and goes on with another one. */
  takeAlternative(token) {
    this.truncate(this.selected + 1);
    this.unread = [];
    this.given = Math.min(this.given, this.text.tokens.length);
    return this.goOnWith(token);
  }

  isFull() {
    return this.text.tokens.length >= this.model.config.context_length;
  }

  /** The probability of every token after position t. */
  predict(position) {
    const hidden = this.text.hidden[position], {latest} = this;
    return probabilities(latest.hidden === hidden ? latest.logits : this.model.logits(hidden), this.temperature());
  }

  // ---- what is shown --------------------------------------------------------------------------------------------

  /** Shows the text, with the token at `selected` chosen, or the last one while it is still to be read. */
  show(selected) {
    this.selected = Math.max(0, Math.min(selected, this.text.tokens.length - 1));
    this.showStrip();
    this.parts.columns.hidden = !this.text.tokens.length;
    if (!this.text.tokens.length) return;
    this.showHeads();
    this.showNext();
  }

  showStrip() {
    const {strip} = this.parts, {tokens} = this.text;
    while (strip.children.length > tokens.length) strip.lastChild.remove();
    tokens.forEach((id, index) => {
      const chip = strip.children[index] ?? strip.appendChild(this.newChip());
      if (chip.dataset.id !== String(id)) {
        const {text, plain, name} = this.tokenizer.show(id);
        chip.dataset.id = id;
        chip.firstChild.textContent = plain ? text.replaceAll("\n", "↵") : text;
        chip.lastChild.data = plain ? "\n".repeat(text.split("\n").length - 1) : "";
        chip.title = `token ${index + 1}, id ${id}`;
        chip.firstChild.classList.toggle("live-symbol", !plain);
        chip.setAttribute("aria-label", name);
      }
      chip.classList.toggle("live-written", index >= this.given);
      chip.setAttribute("aria-selected", index === this.selected);
      chip.tabIndex = index === this.selected ? 0 : -1;
    });
  }

  /** An option with the visible token, and behind it the line breaks that the token ends with. */
  newChip() {
    const chip = document.createElement("span");
    chip.append(document.createElement("span"), "");
    chip.setAttribute("role", "option");
    chip.addEventListener("click", () => this.show([...this.parts.strip.children].indexOf(chip)));
    return chip;
  }

  /** The weights of one head, or the average of all, at the selected token. */
  weights(choice) {
    const {n_layers, n_heads} = this.model.config, count = this.selected + 1;
    const all = this.text.attention[this.selected];
    if (choice) {
      const first = (choice.layer * n_heads + choice.head) * count;
      return all.subarray(first, first + count);
    }
    const mean = new Float32Array(count);
    all.forEach((weight, index) => (mean[index % count] += weight / (n_layers * n_heads)));
    return mean;
  }

  showHeads() {
    for (const radio of this.radios) {
      const chosen = sameHead(radio.choice, this.head);
      radio.setAttribute("aria-checked", chosen);
      radio.tabIndex = chosen ? 0 : -1;
      radio.querySelector("path").setAttribute("d", bars(this.weights(radio.choice)));
    }
    const weights = this.weights(this.head);
    [...this.parts.strip.children].forEach((chip, s) => {
      chip.style.setProperty("--weight", Math.sqrt(weights[s] ?? 0)); // the root, so that small weights are seen
    });
    const strongest = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, 3);
    const looked = strongest.filter((s) => weights[s] >= 0.005).map((s) => `${this.nameOf(s)} ${percent(weights[s])}`);
    const where = `${headName(this.head)} at ${this.nameOf(this.selected)}`;
    this.parts.looked.textContent = `${where} looked at ${looked.join(", ")}.`;
  }

  showNext() {
    const chances = this.predict(this.selected), following = this.text.tokens[this.selected + 1];
    const order = best(chances, SHOWN);
    if (following !== undefined && !order.includes(following)) order[SHOWN - 1] = following;
    this.buttons.forEach((button, row) => {
      button.parentElement.hidden = row >= order.length;
      if (row >= order.length) return;
      const id = order[row], {text, plain} = this.tokenizer.show(id);
      const [word, chance] = button.children;
      button.token = id;
      word.textContent = plain ? visible(text) : text;
      word.classList.toggle("live-symbol", !plain);
      chance.textContent = percent(chances[id]);
      button.style.setProperty("--chance", chances[id]);
      button.setAttribute("aria-current", id === following);
    });
    this.parts.scale.textContent = `After ${this.nameOf(this.selected)}, at temperature ${this.temperature()}.`
      + (following === undefined ? "" : " Framed: the token in the text.");
  }

  nameOf(position) {
    return this.tokenizer.show(this.text.tokens[position]).name;
  }

  say(message) {
    this.parts.status.textContent = message;
  }

  // ---- controls -------------------------------------------------------------------------------------------------

  buildHeads() {
    const {n_layers, n_heads} = this.model.config, {heads} = this.parts;
    heads.style.setProperty("--heads", n_heads);
    const choices = [null];
    for (let layer = 0; layer < n_layers; layer++) {
      for (let head = 0; head < n_heads; head++) choices.push({layer, head});
    }
    this.radios = choices.map((choice) => {
      if (!choice || choice.head === 0) heads.append(rowLabel(choice ? choice.layer + 1 : "all"));
      const radio = document.createElement("div");
      radio.innerHTML = '<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><path></path></svg>';
      radio.choice = choice;
      radio.setAttribute("role", "radio");
      radio.setAttribute("aria-label", headName(choice));
      radio.title = headName(choice);
      radio.addEventListener("click", () => this.chooseHead(choice));
      return heads.appendChild(radio);
    });
    heads.addEventListener("keydown", (event) => this.onHeadKey(event));
  }

  buildNext() {
    this.buttons = Array.from({length: SHOWN}, () => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(document.createElement("span"), document.createElement("span"));
      button.addEventListener("click", () => this.onAlternative(button.token));
      this.parts.next.appendChild(document.createElement("li")).append(button);
      return button;
    });
  }

  /** Replaced by the page, which first stops what is being written. */
  onAlternative(token) {
    this.takeAlternative(token);
  }

  chooseHead(choice) {
    this.head = choice;
    this.show(this.selected);
  }

  onStripKey(event) {
    const last = this.text.tokens.length - 1;
    const target = {ArrowLeft: this.selected - 1, ArrowRight: this.selected + 1, Home: 0, End: last}[event.key];
    if (target !== undefined) {
      event.preventDefault();
      this.show(Math.min(Math.max(target, 0), last));
      this.parts.strip.children[this.selected].focus();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      this.moveHead(event.key === "ArrowUp" ? -1 : 1);
    }
  }

  onHeadKey(event) {
    const {n_heads} = this.model.config;
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -n_heads, ArrowDown: n_heads}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.moveHead(step).focus();
  }

  /** Chooses the head that is `step` further in the list; the average of all comes first. */
  moveHead(step) {
    const now = this.radios.findIndex((radio) => sameHead(radio.choice, this.head));
    const wanted = now + (now === 0 ? Math.sign(step) : step);
    const next = this.radios[Math.max(0, Math.min(wanted, this.radios.length - 1))];
    this.chooseHead(next.choice);
    return next;
  }
}

const sameHead = (a, b) => a === b || (a !== null && b !== null && a.layer === b.layer && a.head === b.head);
const headName = (choice) => (choice ? `Layer ${choice.layer + 1}, head ${choice.head + 1}` : "All heads on average");
const visible = (text) => text.replace(/^ /, "·").replaceAll("\n", "↵").replaceAll("\t", "⇥");

function percent(share) {
  return share > 0 && share < 0.0005 ? "< 0.1%" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
}

function rowLabel(text) {
  const label = document.createElement("span");
  label.textContent = text;
  label.setAttribute("aria-hidden", "true");
  return label;
}

/** The indices of the `count` largest numbers, largest first. */
function best(numbers, count) {
  const chosen = [];
  for (let index = 0; index < numbers.length; index++) {
    if (chosen.length === count && numbers[index] <= numbers[chosen[count - 1]]) continue;
    let place = chosen.length;
    while (place > 0 && numbers[chosen[place - 1]] < numbers[index]) place--;
    chosen.splice(place, 0, index);
    chosen.length = Math.min(chosen.length, count);
  }
  return chosen;
}

/** The path of a bar chart in a square of size 1, with at most 40 bars. */
function bars(weights) {
  const count = Math.max(8, Math.min(weights.length, 40)), heights = new Float32Array(count);
  weights.forEach((weight, s) => {
    const bar = weights.length <= count ? s : Math.floor((s * count) / weights.length);
    heights[bar] = Math.max(heights[bar], Math.sqrt(weight));
  });
  const round = (value) => Math.round(1000 * value) / 1000;
  const column = (height, bar) => `M${round(bar / count)} 1V${round(1 - height)}h${round(0.8 / count)}V1z`;
  return Array.from(heights, column).join("");
}
