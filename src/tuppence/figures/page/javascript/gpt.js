// The forward pass of a GPT-2, one token at a time, with a KV cache. No library.
//
// The same mathematics as model/gpt.py, where every part has the same name. Weight matrices stay int8: each row has
// one scale, and (weight of a row) = (its int8) * (its scale). Everything else is float32.
//
//   D width of the residual stream · H heads · K = D / H width of a head · T tokens so far · V vocabulary

class GPT {
  /**
   * @param packed  {config, tensors: [{name, shape, kind: "float32" | "int8", offset}], bytes: base64}, made by
   *                figures/page/packing.py
   */
  constructor(packed) {
    this.config = packed.config;
    const bytes = bytesFromBase64(packed.bytes);
    const tensors = {};
    for (const {name, shape, kind, offset} of packed.tensors) {
      const count = shape.reduce((product, size) => product * size, 1);
      tensors[name] = kind === "int8"
        ? new Int8Array(bytes.buffer, offset, count)
        : new Float32Array(bytes.buffer, offset, count);
    }
    const norm = (name) => ({weight: tensors[name + ".weight"], bias: tensors[name + ".bias"]});
    const matrix = (name) => ({...norm(name), scale: tensors[name + ".scale"]});

    this.tokenEmbedding = matrix("token_embedding");
    this.positionEmbedding = matrix("position_embedding");
    this.blocks = [];
    for (let layer = 0; layer < this.config.n_layers; layer++) {
      const block = `blocks.${layer}.`;
      this.blocks.push({
        attentionNorm: norm(block + "attention_norm"),
        qkv: matrix(block + "attention.qkv"),
        projection: matrix(block + "attention.projection"),
        mlpNorm: norm(block + "mlp_norm"),
        expand: matrix(block + "mlp.expand"),
        contract: matrix(block + "mlp.contract"),
      });
    }
    this.finalNorm = norm("final_norm");
  }

  /** An empty text: the tokens that were read, and what the model keeps of each of them. */
  emptyText() {
    const size = this.config.context_length * this.config.d_model;
    const cache = this.blocks.map(() => ({keys: new Float32Array(size), values: new Float32Array(size)}));
    return {tokens: [], hidden: [], attention: [], cache};
  }

  /** Shortens a text to at most `length` tokens. What the cache holds of the others is overwritten later. */
  truncate(text, length) {
    for (const list of [text.tokens, text.hidden, text.attention]) list.splice(length);
  }

  /**
   * Reads one more token. Afterwards `text` also has
   *   hidden[t]     its hidden state after the last norm, D numbers; `logits` turns it into a prediction
   *   attention[t]  its attention weights over tokens 0 … t: head h of layer l begins at (l * H + h) * (t + 1)
   */
  read(text, token) {
    const {d_model, n_heads, n_layers, layer_norm_epsilon: epsilon} = this.config;
    const position = text.tokens.length;
    const attention = new Float32Array(n_layers * n_heads * (position + 1));

    const x = new Float32Array(d_model); // the residual stream
    for (let i = 0; i < d_model; i++) {
      x[i] = entry(this.tokenEmbedding, token, i, d_model) + entry(this.positionEmbedding, position, i, d_model);
    }
    this.blocks.forEach((block, layer) => {
      const qkv = linear(block.qkv, layerNorm(block.attentionNorm, x, epsilon));
      text.cache[layer].keys.set(qkv.subarray(d_model, 2 * d_model), position * d_model);
      text.cache[layer].values.set(qkv.subarray(2 * d_model), position * d_model);
      const weights = attention.subarray(layer * n_heads * (position + 1), (layer + 1) * n_heads * (position + 1));
      const mixed = attend(qkv, text.cache[layer], position, n_heads, d_model / n_heads, weights);
      add(x, linear(block.projection, mixed));
      add(x, linear(block.contract, gelu(linear(block.expand, layerNorm(block.mlpNorm, x, epsilon)))));
    });

    text.tokens.push(token);
    text.hidden.push(layerNorm(this.finalNorm, x, epsilon));
    text.attention.push(attention);
  }

  /** The logits of the next token, V numbers: dot products of a hidden state with the embedding of every token. */
  logits(hidden) {
    return linear(this.tokenEmbedding, hidden);
  }
}

/** The output of all heads, D numbers; writes each head's attention weights, H * T numbers, to `weights`. */
function attend(query, {keys, values}, position, heads, width, weights) {
  const count = position + 1, stride = heads * width;
  const out = new Float32Array(stride);
  for (let head = 0; head < heads; head++) {
    const first = head * width;
    const scores = weights.subarray(head * count, (head + 1) * count);
    for (let s = 0; s < count; s++) { // only the past: that is the causal mask
      let score = 0;
      for (let k = 0; k < width; k++) score += query[first + k] * keys[s * stride + first + k];
      scores[s] = score / Math.sqrt(width);
    }
    softmax(scores);
    for (let s = 0; s < count; s++) {
      for (let k = 0; k < width; k++) out[first + k] += scores[s] * values[s * stride + first + k];
    }
  }
  return out;
}

/** One product for each row of an int8 matrix: scale * (row · x) + bias. */
function linear({weight, scale, bias}, x) {
  const width = x.length, out = new Float32Array(scale.length);
  for (let row = 0, at = 0; row < out.length; row++, at += width) {
    let a = 0, b = 0, c = 0, d = 0, i = 0; // four sums, because a processor can add to all of them at once
    for (; i + 3 < width; i += 4) {
      a += weight[at + i] * x[i];
      b += weight[at + i + 1] * x[i + 1];
      c += weight[at + i + 2] * x[i + 2];
      d += weight[at + i + 3] * x[i + 3];
    }
    for (; i < width; i++) a += weight[at + i] * x[i];
    out[row] = scale[row] * (a + b + c + d) + (bias ? bias[row] : 0);
  }
  return out;
}

function entry({weight, scale}, row, column, width) {
  return scale[row] * weight[row * width + column];
}

/** Mean 0 and variance 1, then a scale and a shift for each number. */
function layerNorm({weight, bias}, x, epsilon) {
  let mean = 0, variance = 0;
  for (const value of x) mean += value / x.length;
  for (const value of x) variance += (value - mean) ** 2 / x.length;
  const factor = 1 / Math.sqrt(variance + epsilon);
  return x.map((value, i) => (value - mean) * factor * weight[i] + bias[i]);
}

/** GELU in GPT-2's approximation. */
function gelu(x) {
  return x.map((u) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))));
}

function add(x, change) {
  for (let i = 0; i < x.length; i++) x[i] += change[i];
}

/** Replaces scores by probabilities, in place. */
function softmax(scores) {
  let largest = -Infinity, sum = 0;
  for (const score of scores) largest = Math.max(largest, score);
  for (let i = 0; i < scores.length; i++) sum += scores[i] = Math.exp(scores[i] - largest);
  for (let i = 0; i < scores.length; i++) scores[i] /= sum;
}

/** The probability of every token at a temperature; at temperature 0, the likeliest token has probability 1. */
function probabilities(logits, temperature) {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token] > logits[best]) best = token;
  if (temperature < 1e-6) return logits.map((_, token) => (token === best ? 1 : 0));
  const scaled = logits.map((logit) => (logit - logits[best]) / temperature);
  softmax(scaled);
  return scaled;
}

/** The first token at which the sum of the probabilities exceeds a random number in [0, 1). */
function draw(probabilities, random) {
  let sum = 0, last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    if (probabilities[token] === 0) continue;
    sum += probabilities[token];
    last = token;
    if (sum > random) break;
  }
  return last;
}

function bytesFromBase64(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
