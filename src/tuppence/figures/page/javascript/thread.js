// A model in a thread of its own (a Web Worker), for models whose tokens take so long that the page would not answer.
//
// The thread runs this same script, from a Blob: a page that is opened from a disk may load no other file. The page
// reads tokens itself until the thread has its model, and hands its text over then. A browser that refuses the thread
// stays with that.

const SLOW_TOKEN = 50; // milliseconds
const SCRIPT = typeof document === "undefined" ? "" : document.currentScript?.textContent;

class Thread {
  /** @param packed  of the model, see GPT; @param whenReady  called once, when the thread has the model */
  constructor(packed, whenReady) {
    this.answers = []; // of the questions that wait, oldest first
    const address = URL.createObjectURL(new Blob([SCRIPT], {type: "text/javascript"}));
    this.worker = new Worker(address);
    this.worker.addEventListener("message", ({data}) => {
      if (data === "ready") {
        URL.revokeObjectURL(address);
        whenReady();
      } else {
        this.answers.shift()(data);
      }
    });
    this.worker.postMessage({packed});
  }

  /** Gives the thread the text so far. Later texts are known by what they have in common with it. */
  takeOver({tokens, cache}) {
    this.worker.postMessage({tokens, cache});
  }

  /** Reads a token at a position; the text before it is what was read there last. */
  read(position, token) {
    this.worker.postMessage({position, token});
    return new Promise((resolve) => this.answers.push(resolve));
  }
}

/** What the thread does: reads tokens, and answers {hidden, attention, logits} for each. */
function serveThread() {
  let model, text;
  addEventListener("message", ({data: {packed, cache, tokens, position, token}}) => {
    if (packed) {
      model = new GPT(packed);
      postMessage("ready");
    } else if (cache) {
      text = {tokens, cache, hidden: [], attention: []};
    } else {
      model.truncate(text, position);
      model.read(text, token);
      const hidden = text.hidden.pop(), attention = text.attention.pop(), logits = model.logits(hidden);
      postMessage({hidden, attention, logits}, [hidden.buffer, attention.buffer, logits.buffer]);
    }
  });
}
