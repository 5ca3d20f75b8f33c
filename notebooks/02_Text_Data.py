# %% [markdown]
# # 2 · Why does the model see tokens, and who pays for that?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/02_Text_Data.ipynb)
#
# A language model reads numbers. The tokenizer turns your text into them. It is trained once, before the model, and it
# decides how much a text costs.
#
# **You will learn**
#
# - how byte pair encoding learns a vocabulary, and how it cuts a text with it
# - why every text of the world has tokens, and why some languages need many more of them than others
# - what a larger vocabulary buys, and what it costs
# - how tokens become vectors, windows, batches and shards
#
# **You need**: chapter 1. **AWS services**: S3 for the prepared tokens, rehearsed on this machine.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(2)
chapter

# %%
import hashlib
import json
import random
import shutil
import time
from collections import Counter
from itertools import pairwise

import torch

from tuppence.core.errors import CorruptFileError
from tuppence.cost.rates import REGION, prices
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards
from tuppence.storage import open_store, remote_output, stage
from tuppence.tokenizer import reference, trainer
from tuppence.tokenizer.patterns import PATTERNS
from tuppence.tokenizer.trainer import pairs_of_bytes

# %% [markdown]
# <!-- figures: 256 bytes -->
# ## Step 1: characters are bytes
#
# A computer stores a text as bytes. UTF-8 gives the letters of English one byte each, and all other characters two to
# four. There are only 256 bytes, so a model that reads bytes can read every text there is.
#
# **Guess first**: how many bytes has each of these words? They mean the same.

# %%
words = {"English": "milk", "Spanish": "leche", "Greek": "γάλα", "Russian": "молоко", "Hindi": "दूध", "Japanese": "牛乳"}
tp.Table(
    ["language", "word", "characters", "bytes", "as bytes"],
    [[name, word, len(word), len(word.encode()), word.encode().hex(" ")] for name, word in words.items()],
)

# %% [markdown]
# <!-- figures: 256 bytes -->
# Bytes work, but rows of bytes are long, and attention compares every place with every other (chapter 3). Whole words
# make short rows, but there is no end of words, and an unknown one cannot be read. **Byte pair encoding** (BPE; Gage
# 1994, Sennrich et al. 2016) is in between: it begins with the 256 bytes and gives the most frequent pairs a number of
# their own. Frequent words become one token, rare ones a few, and nothing is ever unknown.
#
# ## Step 2: one merge by hand
#
# Here is the whole idea on three words. Count all pairs of neighbours; take the most frequent; write it as one token.
#
# **Guess first**: which pair wins in "hug pug hugs"?

# %%
text = [list(word) for word in ("hug", "pug", "hugs")]
pairs = Counter(pair for word in text for pair in pairwise(word))
tp.Table(["pair", "count"], [[left + right, count] for (left, right), count in pairs.most_common()])

# %%
best, _ = pairs.most_common(1)[0]


def merge_by_hand(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    """Writes each occurrence of the pair as one token, from left to right."""
    merged: list[str] = []
    for token in tokens:
        if merged and (merged[-1], token) == pair:
            merged[-1] += token
        else:
            merged.append(token)
    return merged


by_hand = [merge_by_hand(word, best) for word in text]
assert by_hand == [reference.merge(word, best, "".join(best)) for word in text]
tp.say(f"The pair {best[0]!r} {best[1]!r} occurs {pairs[best]} times: " + ", ".join("·".join(word) for word in by_hand))

# %% [markdown]
# Hand and library agree. In one case the order matters, since the occurrences overlap. **Guess first**: what becomes of
# "aaa" when the pair "a" "a" is merged, and of "aaaa"?

# %%
assert reference.merge(list("aaa"), ("a", "a"), "aa") == ["aa", "a"]
assert reference.merge(list("aaaa"), ("a", "a"), "aa") == ["aa", "aa"]
assert merge_by_hand(list("aaaa"), ("a", "a")) == reference.merge(list("aaaa"), ("a", "a"), "aa")
tp.source(reference.merge)

# %% [markdown]
# Occurrences may not overlap: a merged token is new, and it is not a part of the next pair. A version that rewrote
# every overlapping pair would lose or double letters.
#
# ## Step 3: twenty merges
#
# Training repeats the step: count, merge the winner, count again. Each merge adds one token to the vocabulary. Ties go
# to the lowest pair of ids, so that everybody who trains on the same text gets the same vocabulary.

# %%
sentence = "the cat that sat on the mat and the hot hat"
words_of_it = PATTERNS["gpt2"].split(sentence)
merges = pairs_of_bytes(reference.learn_merges(Counter(word.encode() for word in words_of_it), 20))
ranks = {bytes([value]): value for value in range(256)}
rows = [list(sentence)]
for rank, (left, right) in enumerate(merges, start=256):
    ranks[left + right] = rank
    rows.append([token.decode() for word in words_of_it for token in reference.encode_word(word.encode(), ranks)])
assert all(len(after) < len(before) for before, after in pairwise(rows))  # every merge shortens this text
tp.figures.merge_tree(
    [*rows[:-1:3], rows[-1]],
    title=f"{len(merges)} merges turn {len(rows[0])} bytes into {len(rows[-1])} tokens: a row every three merges",
)

# %%
first_ones, last_ones = (
    ", ".join(repr((left + right).decode()) for left, right in some) for some in (merges[:3], merges[-3:])
)
tp.say(
    f"{len(merges)} merges write {len(rows[0])} bytes as {len(rows[-1])} tokens. The first merges are pieces of many"
    f" words: {first_ones}. The last ones are whole words: {last_ones}."
)

# %% [markdown]
# Spaces belong to the words that follow them: before the merges, a **split pattern** cuts the text into words, and no
# merge crosses their border. Otherwise " the cat" could become one token, and the vocabulary would fill with phrases.

# %%
tp.Table(
    ["text", "words of the split pattern"],
    [[t, " | ".join(PATTERNS["gpt2"].split(t))] for t in ("It's 2026: don't panic!", "x = f(a, b)", "one  two")],
)

# %% [markdown]
# ## Step 4: the trainer of the library
#
# The plain version counts all pairs again before each merge. It is ten lines long, and everybody can check it:

# %%
tp.source(reference.learn_merges)

# %% [markdown]
# The library's trainer keeps the counts in a heap and touches only the places that a merge changes.
#
# **Guess first**: how much faster is that, for two hundred merges?

# %%
stories = tp.stories(chapter.pick(test=8, laptop=50))
counted = Counter(word.encode() for story in stories for word in PATTERNS["gpt2"].split(story))
count = chapter.pick(test=40, laptop=200)

began = time.perf_counter()
slow = reference.learn_merges(counted, count)
plain_seconds = time.perf_counter() - began
began = time.perf_counter()
fast = trainer.learn_merges(counted, count)
heap_seconds = time.perf_counter() - began
assert slow == fast
tp.say(
    f"The same {count} merges in {plain_seconds:.2f} and {heap_seconds:.3f} seconds, {plain_seconds / heap_seconds:.0f}"
    f" times as fast, for {len(counted):,} different words. The gap grows with the number of merges."
)

# %% [markdown]
# ## Step 5: cut a text, and put it together again
#
# To encode a word, merge its bytes in the order in which the merges were *learned*: always the neighbours whose joined
# bytes have the lowest rank, and of equal pairs the left one. The longest piece that is in the vocabulary is not
# necessarily one of the tokens.

# %%
tokenizer = tp.train_tokenizer(
    tp.stories(chapter.pick(test=100, laptop=2000)), vocab_size=chapter.pick(test=600, laptop=4096)
)
ranks = tokenizer.vocabulary.ranks


def encode_by_hand(word: bytes) -> list[bytes]:
    """Merges the neighbours of lowest rank until no two neighbours have a token of their own."""
    tokens = [bytes([value]) for value in word]
    while True:
        places = reversed(list(enumerate(pairwise(tokens))))  # from right to left: of equal pairs the left one stays
        known = {ranks[a + b]: place for place, (a, b) in places if a + b in ranks}
        if not known:
            return tokens
        place = known[min(known)]
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]


text = "Once upon a time a dragon unpacked 1234567 suitcases."
by_hand = [ranks[token] for word in PATTERNS["gpt2"].split(text) for token in encode_by_hand(word.encode())]
assert by_hand == tokenizer.encode(text) == reference.encode(PATTERNS["gpt2"].split(text), ranks)
tp.show_tokens(tokenizer, text)

# %% [markdown]
# Point at a token to see its id and its bytes. Words of the training stories are one token; others fall apart into
# pieces, and numbers into digits, because the stories have few of them. Decoding joins the bytes:

# %%
generator = random.Random(2)
for _ in range(200):  # any text at all: letters, symbols, emoji, scripts, control characters
    anything = "".join(
        chr(
            generator.choice(
                [generator.randrange(32, 127), generator.randrange(0x20, 0xD800), 0x1F600 + generator.randrange(64)]
            )
        )
        for _ in range(20)
    )
    assert tokenizer.decode(tokenizer.encode(anything)) == anything
ids = tokenizer.encode("A dragon unpacked 1234 suitcases.")
tp.figures.tokens_strip([tokenizer.decode([token]) for token in ids], ids)

# %% [markdown]
# ## Step 6: how large should the vocabulary be?
#
# More merges make shorter rows: the same context holds more text, and each step of training reads more of it. But every
# token needs its row in the embedding, and rare tokens are seldom trained.
#
# **Guess first**: each doubling of the vocabulary shortens the rows. By the same share each time?

# %%
training, held_out = tp.stories(chapter.pick(test=100, laptop=2000)), tp.stories(100, seed=9)
sizes = chapter.pick(test=[257, 300, 400, 600], laptop=[257, 512, 1024, 2048, 4096])
bytes_of_text = sum(len(story.encode()) for story in held_out)
per_token = []
for size in sizes:
    candidate = tp.train_tokenizer(training, vocab_size=size)
    per_token.append(bytes_of_text / sum(len(candidate.encode(story)) for story in held_out))
assert per_token == sorted(per_token)
tp.figures.bytes_per_token(sizes, per_token)

# %%
gains = [after / before - 1 for before, after in pairwise(per_token)]
assert gains[-1] < gains[0]
tp.say(
    f"From {sizes[0]} to {sizes[1]} tokens, a token holds {gains[0]:.0%} more text; the last step of the picture brings"
    f" {gains[-1]:.0%}. GPT-2 has 50,257 tokens, and its embedding has"
    f" {50257 * 768 / tp.PRESETS['gpt2-124m'].parameter_count():.0%} of the parameters of the small model."
)

# %% [markdown]
# ## Step 7: who pays
#
# Our tokenizer has learned from English stories. It reads every language, so everybody can use the model. Here is one
# sentence in eight languages.
#
# **Guess first**: how many times as many tokens as in English does the sentence have in German, and in Hindi?

# %%
sentences = {
    "English": "The cat sleeps under the table, and the children drink their milk.",
    "Spanish": "El gato duerme debajo de la mesa y los niños beben su leche.",
    "German": "Die Katze schläft unter dem Tisch, und die Kinder trinken ihre Milch.",
    "Greek": "Η γάτα κοιμάται κάτω από το τραπέζι και τα παιδιά πίνουν το γάλα τους.",
    "Russian": "Кошка спит под столом, а дети пьют своё молоко.",
    "Hindi": "बिल्ली मेज़ के नीचे सोती है और बच्चे अपना दूध पीते हैं।",
    "Japanese": "猫はテーブルの下で眠り、子どもたちは牛乳を飲みます。",
    "Arabic": "تنام القطة تحت الطاولة ويشرب الأطفال حليبهم.",
}
tokens_of = {name: len(tokenizer.encode(sentence)) for name, sentence in sentences.items()}
times_english = {name: count / tokens_of["English"] for name, count in tokens_of.items()}
tp.figures.fertility(tokens_of, reference="English")

# %%
greek, hindi = sentences["Greek"], sentences["Hindi"]
assert times_english["German"] < times_english["Greek"] < times_english["Hindi"]
assert times_english["Hindi"] > chapter.pick(test=3, laptop=5)  # the surprise: several times the price
assert tokens_of["Greek"] > 0.9 * len(greek.encode())  # nearly one token a byte: the merges know no Greek letter
tp.say(
    f"The sentence has {len(greek)} characters in Greek and {tokens_of['Greek']} tokens, almost one a byte. In Hindi it"
    f" has {times_english['Hindi']:.1f} times the tokens of English, with {len(hindi)} characters against"
    f" {len(sentences['English'])}. The reader pays that many times for each answer, waits that many times as long, and"
    " the model remembers that much less of the conversation."
)

# %% [markdown]
# This is no property of Hindi or Greek. It is a property of the text that the vocabulary was trained on: a tokenizer
# trained on the eight sentences themselves treats almost all of them alike. **Guess first**: which one still pays more?

# %%
fair = tp.train_tokenizer(list(sentences.values()) * 20, vocab_size=900)
fair_tokens = {name: len(fair.encode(sentence)) for name, sentence in sentences.items()}
assert all(fair_tokens[name] < tokens_of[name] / 2 for name in ("Greek", "Russian", "Hindi", "Japanese", "Arabic"))
pieces = {name: len(PATTERNS["gpt2"].split(sentence)) for name, sentence in sentences.items()}
tp.Table(
    ["language", "trained on English", "trained on all eight", "words of the split pattern"],
    [[name, tokens_of[name], fair_tokens[name], pieces[name]] for name in sentences],
)

# %%
spaces = {name: len(sentence.split()) for name, sentence in sentences.items()}
assert pieces["Hindi"] > 2 * spaces["Hindi"]
assert pieces["Greek"] < 1.3 * spaces["Greek"]
tp.say(
    f"Hindi, and no training can help: its sentence has {spaces['Hindi']} words, but GPT-2's split pattern cuts it into"
    f" {pieces['Hindi']}. Its vowel signs are marks and not letters for Unicode, the pattern begins a new word at each,"
    " and no merge crosses the border of a word. A choice that somebody made with English in mind is paid for by others."
)

# %% [markdown]
# GPT-2's own tokenizer is two files, `encoder.json` and `vocab.bpe`. Where they lie beside this notebook, the next cell
# reads them: its ids are the ids that every GPT-2 in the world uses.

# %%
gpt2_files = [pathlib.Path("encoder.json"), pathlib.Path("vocab.bpe")]
if all(file.exists() for file in gpt2_files):
    gpt2 = tp.load_tokenizer(gpt2_files)
    gpt2_tokens = {name: len(gpt2.encode(text)) for name, text in sentences.items()}
    shown = tp.figures.fertility(
        gpt2_tokens, reference="English", title="GPT-2's tokenizer: smaller gaps, the same order"
    )
else:
    shown = tp.say("GPT-2's files are not beside this notebook, so this cell shows nothing.")
shown

# %% [markdown]
# <!-- figures: 21 tokens -->
# ## Step 8: windows
#
# A model reads a fixed number of tokens at once, its context $T$. Training cuts the long row of all tokens into windows
# of $T$ inputs. The target of each input is the next token, so the targets are the inputs, moved by one. A window of
# four tokens is four exercises: predict the second token from the first, the third from the first two, and so on.
#
# **Guess first**: how many windows of 4 do 21 tokens give, if every token shall be a target once?

# %%
ids = tp.tokens(tp.stories(chapter.pick(test=4, laptop=20)), tokenizer)
T = 4
count = (len(ids) - 1) // T
by_hand = [(ids[T * n : T * n + T], ids[T * n + 1 : T * n + T + 1]) for n in range(count)]

first = tp.windows(ids, context=T, batch_size=count)
inputs_BT, targets_BT = next(first)
assert inputs_BT.shape == targets_BT.shape == (count, T)
assert {tuple(row.tolist()) for row in inputs_BT} == {tuple(inputs.tolist()) for inputs, _ in by_hand}
assert torch.equal(inputs_BT[:, 1:], targets_BT[:, :-1])  # a target is the next input
tp.figures.windows([tokenizer.decode([token]) for token in ids[: 2 * T + 1].tolist()], context=T)

# %% [markdown]
# The step from one window to the next, the *stride*, is the context. With a smaller stride windows overlap, and tokens
# are trained several times an epoch. With a stride of $T + 1$, one token between two windows is never a target. (The
# answer to the question: five.) `tp.windows` reads the windows in a new order in every epoch, and the order depends on
# the seed and on the number of the epoch alone; so a killed run goes on with the very window it had reached.

# %%
again = tp.windows(ids, context=T, batch_size=count)
assert torch.equal(next(again)[0], inputs_BT)  # the same seed, the same order
assert not torch.equal(next(again)[0], inputs_BT)  # the second epoch: the same windows, another order

# %% [markdown]
# ## Step 9: from ids to vectors
#
# An id is a name, not a quantity: token 500 is not twice token 250. The model looks up a row of $D$ numbers for each id,
# and adds a second row for its place. Looking up is a matrix product with a row that is one in a single column:

# %%
config = tp.ModelConfig(n_layers=2, n_heads=2, d_model=64, context_length=64, vocab_size=tokenizer.vocab_size)
model = tp.GPT(config)
x_T = torch.tensor(tokenizer.encode("The dog ran to the pond."))
one_hot_TV = torch.nn.functional.one_hot(x_T, config.vocab_size).float()
by_hand_TD = one_hot_TV @ model.token_embedding.weight[: config.vocab_size]
assert torch.equal(by_hand_TD, model.token_embedding(x_T))
places_TD = model.position_embedding(torch.arange(len(x_T)))
tp.say(
    f"{len(x_T)} tokens become a matrix of {tuple((by_hand_TD + places_TD).shape)}: rows are tokens, columns numbers."
)

# %% [markdown]
# The rows are random at first. **Guess first**: after a short training on stories, which tokens have the rows most like
# that of " boy"? Nobody tells the model what a boy is.

# %%


def neighbours(word: str, k: int = 5) -> list[str]:
    """The tokens whose embeddings have the highest cosine with that of a word."""
    token = tokenizer.encode(word)[0]
    rows_VD = torch.nn.functional.normalize(model.token_embedding.weight[: config.vocab_size].detach(), dim=1)
    cosines_V = (rows_VD @ rows_VD[token]).index_fill(0, rare, -1.0)
    return [tokenizer.decode([int(other)]) for other in cosines_V.topk(k + 1).indices if int(other) != token][:k]


corpus = tp.tokens(tp.stories(chapter.pick(test=60, laptop=4000)), tokenizer)
often_V = torch.bincount(corpus, minlength=config.vocab_size)
rare = (often_V < chapter.pick(test=5, laptop=100)).nonzero().flatten()
words = [" boy", " said", " her"]
before = {word: neighbours(word) for word in words}
run = tp.fit(model, corpus, steps=chapter.pick(test=5, laptop=200, gpu=400), lr=1e-2, optimizer="muon", batch_size=16)
after = {word: neighbours(word) for word in words}
tp.Table(
    ["token", "nearest before training", "nearest after training"],
    [[word, " ".join(before[word]), " ".join(after[word])] for word in words],
)

# %%
if chapter.scale != "test":
    assert " girl" in after[" boy"]
    assert " girl" not in before[" boy"]
tp.say(
    "Nobody told the model what a boy is. Tokens that occur in the same places get similar rows, because the same rows"
    " serve there: that is all that a language model knows of meaning at its first layer."
)

# %% [markdown]
# ## Step 10: shards
#
# Real corpora are larger than memory. `tuppence data prepare` writes tokens into **shards**: files of plain numbers,
# two bytes a token, with an index that has the SHA-256 of each. Training maps them into memory and reads windows from
# any place. Each file is complete or absent: a killed preparation continues where it was.

# %%
folder = chapter.folder / "data"
shutil.rmtree(folder, ignore_errors=True)
story_file = chapter.folder / "stories.jsonl"
story_file.parent.mkdir(parents=True, exist_ok=True)
some = tp.stories(chapter.pick(test=80, laptop=500))
story_file.write_text("".join(json.dumps({"text": story}) + "\n" for story in some), encoding="utf-8")
summary = prepare([story_file], tokenizer, folder, val_fraction=0.1)

shards = TokenShards.open(folder, "train")
index = json.loads((folder / "index.json").read_text())
assert shards.num_tokens == summary.splits["train"]["tokens"]
for shard in index["shards"]:  # each file is what the index says
    assert hashlib.sha256((folder / shard["file"]).read_bytes()).hexdigest() == shard["sha256"]
window = torch.from_numpy(shards.window(0, 40).astype("int64"))
assert any(tokenizer.decode(window.tolist()) in story for story in some)  # the shards hold our stories, as ids
tp.show_tokens(tokenizer, window)

# %% [markdown]
# ## On AWS: the shards in S3
#
# A machine that trains on AWS starts with an empty disk and reads its data from S3. There are no folders: a *bucket* has
# *objects*, each with a key and bytes. An object is written as a whole, and replaced as a whole. Each output of
# `tuppence` may be such a place: `tuppence data prepare stories.jsonl --tokenizer TOKENIZER --out s3://BUCKET/stories`.
#
# The bucket below is on this machine. It is our reading of S3's documentation, and proves nothing about AWS. After
# `tuppence aws init` and with `TUPPENCE_AWS=account` the same cells use your own bucket.

# %%
cloud = tp.cloud()
place = f"{cloud.url}/stories"
with remote_output(place) as there:  # a local folder, which is copied to the bucket
    prepare([story_file], tokenizer, there, val_fraction=0.1)

objects = open_store(place)
for shard in index["shards"]:  # the same stories give the same bytes, there and here
    assert hashlib.sha256(objects.read(shard["file"])[0]).hexdigest() == shard["sha256"]
tp.Table(["object", "bytes"], [[f"{place}/{entry.name}", entry.size] for entry in objects.list()])

# %% [markdown]
# `stage` gives a local copy to whoever reads. **Guess first**: it is asked for twice. How often does the data travel?

# %%
copy = stage(place)
arrived = {file.name: file.stat().st_mtime_ns for file in copy.iterdir()}
again = stage(place)
assert again == copy
assert {file.name: file.stat().st_mtime_ns for file in again.iterdir()} == arrived  # nothing was written anew
assert (TokenShards.open(copy, "train").window(0, 40) == shards.window(0, 40)).all()
tp.say(
    "Once. The copy is kept under the names, sizes and versions of all objects; a changed object would be fetched anew."
)

# %% [markdown]
# **Guess first**: one bit of a shard is wrong in the bucket. The object has the same name and the same size as before. Who
# finds out?

# %%
name = index["shards"][0]["file"]
right = objects.read(name)[0]
objects.put(name, bytes([right[0] ^ 1]) + right[1:])
try:
    stage(place)
except CorruptFileError as error:
    found = error.message
objects.put(name, right)
assert name in found
tp.say(
    f"The SHA-256 in the index does: *{found}*. Without it, training would have read another token and said nothing."
)

# %% [markdown]
# ### What it costs
#
# S3 bills bytes times months, and each request. A token has two bytes. **Guess first**: what do ten billion tokens cost,
# enough for a GPT-2, in a month?

# %%
price = {key[1:3]: found.usd for key, found in prices().items() if key[0] == "S3" and key[3] == REGION}
corpora = {"the stories of this chapter": shards.num_tokens, "10 billion tokens": 10e9, "1 trillion tokens": 1e12}
rows = []
for corpus_name, count in corpora.items():
    gigabytes, reads = 2 * count / 1e9, 1 + 2 * count / 32e6  # shards of 16 million tokens, read once each
    rows.append(
        [
            corpus_name,
            gigabytes,
            f"${gigabytes * price['storage', 'standard']:.2f}",
            f"${reads * price['requests', 'get'] / 1000:.4f}",
            f"${gigabytes * price['transfer', 'out to the internet']:.2f}",
        ]
    )
cloud.close()
tp.Table(["corpus", "GB", "a month in S3", "to read it once", "to take it out of AWS"], rows)

# %% [markdown]
# Tokens cost cents; a machine that waits for them costs dollars. What is dear is the way out: train where the data is.

# %% [markdown]
# ## What we can now say
#
# - A tokenizer is a list of merges, learned by counting and applied in the order learned.
# - Bytes make every text readable. Merges make the texts short that the tokenizer was trained on, and only those.
# - A vocabulary has its price: rows in the embedding, and less training for each of them.
# - A batch is a set of windows, and its targets are its inputs moved by one. Order is a function of the seed.
#
# **What this chapter took:**

# %%
chapter.receipt(run)

# %% [markdown]
# ## Exercises
#
# Write the function in a cell of your own, then let `tp.check` try it. It says which property fails, for which input.
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | 2.1 `merge(tokens, pair, new)`: replace each occurrence of a pair, from left to right | ●○○ | ●●● | 10 |
# | 2.2 `encode_word(word, ranks)`: cut the bytes of a word by the ranks of tokens | ●●○ | ●●● | 20 |
# | 2.3 `windows(ids, context_length)`: inputs and targets, each token a target once | ●●○ | ●●● | 15 |

# %%
tp.check(2)

# %% [markdown]
# **Papers**: Gage, *A new algorithm for data compression* (1994) · Sennrich, Haddow, Birch,
# [*Neural machine translation of rare words with subword units*](https://arxiv.org/abs/1508.07909) (2016) · Radford et
# al., *Language models are unsupervised multitask learners* (2019): byte-level BPE · Petrov et al.,
# [*Language model tokenizers introduce unfairness between languages*](https://arxiv.org/abs/2305.15425) (2023).
#
# **Next**: chapter 3. The tokens are vectors now, but no token knows of any other. How does one fetch something from
# another?
