#!/usr/bin/env python3
"""Writes tests/golden/tokenizers: small vocabularies and what Hugging Face makes of a corpus with them.

The corpus is not stored. tests/tokenizers/golden_corpus.cc generates the same lines from the same linear
congruential generator and the same corpus.json; a golden file holds one hash of the ids per line, so that
a mismatch names its line. No code point is left out: where the library's Unicode tables differ from
ICU's, src/tokenizers/unicode_tables.inc follows the library.

Needs: pip install tokenizers transformers sentencepiece
Run:   python tools/make_tokenizer_golden.py [--gpt2 FOLDER] [--minilm FOLDER] [--spiece FILE]
The folders hold GPT-2's vocab.json and merges.txt, MiniLM's vocab.txt, a spiece.model: those goldens are
written only where they are given; the vocabularies themselves are not copied.
"""

import argparse
import json
import os
import pathlib
import struct

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers
from transformers import BartTokenizerFast, BertTokenizerFast

ROOT = pathlib.Path(__file__).parents[1]
OUTPUT = ROOT / "tests" / "golden" / "tokenizers"
RANDOM_LINES = 20480
SWEEP_LINES = 4352  # 256 code points each: all 17 planes
DECODED_LISTS = 2048


class Generator:
    """Knuth's MMIX linear congruential generator; the upper 31 bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound

    def choice(self, items):
        return items[self.below(len(items))]


def scalar(code_point):
    return "\ufffd" if 0xD800 <= code_point <= 0xDFFF else chr(code_point)


def random_line(number, tables):
    rng = Generator(number)
    kind = rng.below(6)
    line = ""
    for _ in range(rng.below(14)):
        if kind == 0:  # anything of any plane
            line += scalar(rng.below(17) * 65536 + rng.below(65536)) + rng.choice(tables["separators"])
        elif kind == 1:  # words
            line += rng.choice(tables["words"]) + " "
        elif kind == 2:  # words and odd separators
            line += rng.choice(tables["words"]) + rng.choice(tables["separators"])
        elif kind == 3:  # runs of one script
            first, count = rng.choice(tables["blocks"])
            for _ in range(1 + rng.below(6)):
                line += scalar(first + rng.below(count))
        elif kind == 4:  # floods of combining marks
            line += rng.choice(tables["bases"])
            for _ in range(rng.below(6)):
                line += scalar(rng.choice(tables["marks"]))
        else:  # long words
            line += rng.choice(tables["words"]) * (1 + rng.below(20)) + rng.choice(tables["separators"])
    return line


def sweep_line(number):
    """256 code points in a row, every second one after a letter and every fourth before a digit."""
    line = ""
    for code_point in range(number * 256, number * 256 + 256):
        line += "a" if code_point % 2 else " "
        line += scalar(code_point)
        line += "" if code_point % 4 else "1"
    return line


def corpus_lines(tables):
    return [random_line(n, tables) for n in range(RANDOM_LINES)] + [sweep_line(n) for n in range(SWEEP_LINES)]


def id_list(number, vocab_size, frequent):
    rng = Generator(number)
    return [rng.choice(frequent) if rng.below(2) else rng.below(vocab_size) for _ in range(rng.below(25))]


def fnv1a(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value


def hash_ids(ids):
    return fnv1a(struct.pack(f"<{len(ids)}i", *ids))


def encode(tokenizer, text):
    return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids


def decode(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)


def write_hashes(name, tokenizer, lines, frequent):
    """RANDOM_LINES + SWEEP_LINES hashes of encoded lines, then DECODED_LISTS hashes of decoded texts."""
    hashes = [hash_ids(encode(tokenizer, line)) for line in lines]
    frequent_ids = [tokenizer.convert_tokens_to_ids(token) for token in frequent]
    vocab_size = len(tokenizer)  # slow: the library counts
    for number in range(DECODED_LISTS):
        ids = id_list(number, vocab_size, frequent_ids)
        hashes.append(fnv1a(decode(tokenizer, ids).encode()))
    (OUTPUT / f"{name}.hashes").write_bytes(struct.pack(f"<{len(hashes)}I", *hashes))


def training_text(tables):
    return [random_line(n, tables) for n in range(100000, 140000) if Generator(n).below(6) in (1, 2)]


def save_compact_json(backend, folder):
    content = json.loads(backend.to_str())
    (OUTPUT / folder).mkdir(exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (OUTPUT / folder / "tokenizer.json").write_text(text + "\n")


def make_wordpiece(text):
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(text, trainers.WordPieceTrainer(
        vocab_size=1000, special_tokens=specials, show_progress=False))
    tokens = sorted(backend.get_vocab().items(), key=lambda entry: entry[1])
    (OUTPUT / "wordpiece").mkdir(exist_ok=True)
    (OUTPUT / "wordpiece" / "vocab.txt").write_text("".join(token + "\n" for token, _ in tokens))
    tokenizer = BertTokenizerFast(str(OUTPUT / "wordpiece" / "vocab.txt"))
    save_compact_json(tokenizer.backend_tokenizer, "wordpiece_json")
    return tokenizer


def make_bpe(text):
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(text, trainers.BpeTrainer(
        vocab_size=1000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(backend.to_str())["model"]
    vocab = {**model["vocab"], "<mask>": len(model["vocab"])}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    folder = OUTPUT / "bpe"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(merge + "\n" for merge in merges))
    tokenizer = BartTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    save_compact_json(tokenizer.backend_tokenizer, "bpe_json")
    return tokenizer


def full_cases(tokenizer, lines):
    cases = [[line, encode(tokenizer, line)] for line in lines]
    return [[line, ids, decode(tokenizer, ids)] for line, ids in cases]


def sentencepiece_cases(model, lines):
    import sentencepiece
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    cases = [[line, processor.encode(line)] for line in lines]
    return [[line, ids, processor.decode(ids)] for line, ids in cases]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for source in ("gpt2", "minilm", "spiece"):
        parser.add_argument(f"--{source}", type=pathlib.Path)
    arguments = parser.parse_args()
    tables = json.loads((OUTPUT / "corpus.json").read_text())
    lines = corpus_lines(tables)
    text = training_text(tables)
    cases = tables["cases"] + [line for line in lines[:300] if len(line) < 120]
    golden = {}

    wordpiece, bpe = make_wordpiece(text), make_bpe(text)
    golden["wordpiece"] = full_cases(wordpiece, cases)
    golden["bpe"] = full_cases(bpe, cases)
    write_hashes("wordpiece", wordpiece, lines, tables["frequent_wordpieces"])
    write_hashes("bpe", bpe, lines, tables["frequent_bpe_tokens"])
    if arguments.minilm:
        minilm = BertTokenizerFast(str(arguments.minilm / "vocab.txt"))
        write_hashes("minilm", minilm, lines, tables["frequent_wordpieces"])
    if arguments.gpt2:
        gpt2 = BartTokenizerFast(str(arguments.gpt2 / "vocab.json"), str(arguments.gpt2 / "merges.txt"))
        write_hashes("gpt2", gpt2, lines, tables["frequent_bpe_tokens"])
    if arguments.spiece:
        golden["spiece"] = sentencepiece_cases(arguments.spiece, tables["cases"])
    (OUTPUT / "cases.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    main()
