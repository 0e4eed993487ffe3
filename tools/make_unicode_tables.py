#!/usr/bin/env python3
"""Writes src/core/tokenizers/unicode_tables.inc: the character classes that Hugging Face `tokenizers` uses.

The library mixes Unicode versions (its punctuation and mark tables are years older than its letter
tables), so no one ICU version agrees with it, but on white space. Against ICU 72 (Unicode 15) these
code points differ: 20 that cleaning drops, 129 of punctuation, 438 marks, 1 that decomposes, 112
combining ones, 4924 letters, 80 numbers and 55 lower cases. This script asks the library itself about
each code point; the tables are what it answered. Usage: make_unicode_tables.py > src/core/tokenizers/unicode_tables.inc
"""

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**flags, **on}).normalize_str


CLEAN, LOWER, STRIP = bert(clean_text=True), bert(lowercase=True), bert(strip_accents=True)
NFD = normalizers.NFD().normalize_str
BERT_SPLIT = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def regex_class(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str
    return lambda ch: len(split("\x01" + ch + "\x01")) == 3


def is_reordered(ch):
    """A combining class other than 0: it moves behind a lower class or before a higher one."""
    return (NFD("a" + ch + "\u0334") == "a\u0334" + ch) or (NFD("a\u0345" + ch) == "a" + ch + "\u0345")


CLASSES = {
    "kDroppedRanges": lambda ch: CLEAN(ch) == "",
    "kPunctuationRanges": lambda ch: len(BERT_SPLIT("a" + ch + "b")) == 3,
    "kMarkRanges": lambda ch: NFD(ch) == ch and STRIP(ch) == "",
    "kDecomposedRanges": lambda ch: NFD(ch) != ch,
    "kReorderedRanges": lambda ch: NFD(ch) == ch and is_reordered(ch),
    "kLetterRanges": regex_class(r"\p{L}"),
    "kNumberRanges": regex_class(r"\p{N}"),
}


def ranges(members):
    result = []
    for c in members:
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def lower_case_rows():
    """[first, last, stride, delta]; U+0130, the only one with two code points, is left to the code."""
    rows = []
    for c in CODE_POINTS:
        lower = LOWER(chr(c))
        if lower == chr(c) or len(lower) != 1:
            continue
        delta = ord(lower) - c
        if rows:
            first, last, stride, last_delta = rows[-1]
            step = c - last
            if delta == last_delta and step in (1, 2) and (first == last or step == stride):
                rows[-1] = [first, c, step, delta]
                continue
        rows.append([c, c, 1, delta])
    return rows


def print_table(declaration, cells):
    print(f"inline constexpr {declaration}[] = {{")
    line = "   "
    for cell in cells:
        if len(line) + len(cell) + 2 > 100:
            print(line)
            line = "   "
        line += f" {cell},"
    print(line + "\n};\n")


def main():
    print("// Made by tools/make_unicode_tables.py from what Hugging Face tokenizers "
          f"{tokenizers.__version__} answers. Do not edit.\n// clang-format off\n")
    for name, member in CLASSES.items():
        found = ranges(c for c in CODE_POINTS if member(chr(c)))
        print_table(f"CodePointRange {name}", [f"{{0x{a:X}, 0x{b:X}}}" for a, b in found])
    print_table("LowerCaseRow kLowerCaseRows",
                [f"{{0x{a:X}, 0x{b:X}, {stride}, {delta}}}" for a, b, stride, delta in lower_case_rows()])


if __name__ == "__main__":
    main()
