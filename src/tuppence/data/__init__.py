"""From texts to token shards and batches, and from files of rows to labelled texts, instructions and preferences."""
