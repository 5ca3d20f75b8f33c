"""What every package needs and nothing about language models: configuration, runs, files, errors, the console."""
