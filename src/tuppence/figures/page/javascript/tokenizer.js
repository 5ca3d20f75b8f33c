// A byte-level BPE tokenizer, as tokenizer/reference.py: text to ids and back.
//
// Bytes are written as strings in which every character is one byte (code 0 to 255), so that tokens can be keys of a
// Map and can be joined with "+".

class Tokenizer {
  /** @param packed  {pattern, tokens: [bytes or null], specials: {name: id}, stops: [id], start: [id], …} */
  constructor(packed) {
    this.pattern = new RegExp(packed.pattern, "gu");
    this.specials = new Map(Object.entries(packed.specials).map(([name, id]) => [id, name]));
    this.bytesOf = packed.tokens; // by id; null for a special token
    this.idOf = new Map();
    packed.tokens.forEach((bytes, id) => bytes !== null && this.idOf.set(bytes, id));
    this.stops = new Set(packed.stops);
    this.start = packed.start;
  }

  /** The ids of a text. The name of a special token in it is ordinary text. */
  encode(text) {
    const ids = [];
    for (const [word] of wellFormed(text).matchAll(this.pattern)) this.encodeWord(utf8(word), ids);
    return ids;
  }

  /**
   * The ids of a conversation of one request, up to where the answer begins.
   * @param template  {trims, parts: [{text}, {special: id} or {prompt: true}]}
   */
  encodeTurn({trims, parts}, prompt) {
    const ids = [];
    let text = "";
    for (const part of parts) {
      if (part.special === undefined) {
        text += part.prompt ? (trims ? prompt.trim() : prompt) : part.text;
      } else {
        ids.push(...this.encode(text), part.special);
        text = "";
      }
    }
    return [...ids, ...this.encode(text)];
  }

  /** Merges the pair whose token has the lowest id, until no pair of neighbours is a token. */
  encodeWord(word, ids) {
    if (this.idOf.has(word)) { // a shortcut: the merges end there, too
      ids.push(this.idOf.get(word));
      return;
    }
    const parts = [...word];
    for (;;) {
      let best = Infinity, place = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const id = this.idOf.get(parts[i] + parts[i + 1]);
        if (id !== undefined && id < best) [best, place] = [id, i];
      }
      if (place < 0) break;
      parts.splice(place, 2, parts[place] + parts[place + 1]);
    }
    for (const part of parts) ids.push(this.idOf.get(part));
  }

  /** The text of any ids. Bytes that are not UTF-8 (half a character) become U+FFFD. */
  decode(ids) {
    return fromUtf8(ids.map((id) => this.bytesOf[id] ?? utf8(this.specials.get(id))).join(""));
  }

  /**
   * One token for people: {text, plain, name}. `plain` is false for a special token and for bytes without a glyph, and
   * `name` is the token in a sentence.
   */
  show(id) {
    if (this.specials.has(id)) {
      const text = this.stops.has(id) ? "end of text" : this.specials.get(id);
      return {text, plain: false, name: text};
    }
    const bytes = this.bytesOf[id], text = fromUtf8(bytes);
    if (utf8(text) === bytes && !/[^\P{C}\n\t]/u.test(text)) {
      return {text, plain: true, name: `“${text.replace(/^ /, "\u00a0").replaceAll("\n", "↵")}”`};
    }
    const digits = [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
    return {text: digits, plain: false, name: `byte ${digits}`};
  }
}

/** Replaces lone surrogates, which are no characters, by U+FFFD. */
function wellFormed(text) {
  return fromUtf8(utf8(text));
}

function utf8(text) {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

function fromUtf8(bytes) {
  return new TextDecoder("utf-8", {ignoreBOM: true}).decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
