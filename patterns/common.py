#!/usr/bin/env python3
"""The four letters in a row that stand most often in files, capitals as small letters: common.py FILE... > common.txt

The matcher chooses by them which part of a literal it looks for (src/detect/stems.rs). The list in this repository is of 100 MB of the text
files of a Debian image with Python, Node and Django (clean-full of make_truth.py); it is no part of what a rule means.
"""
import sys
from collections import Counter

LEAST = 60  # in a megabyte
counts, size = Counter(), 0
for path in sys.argv[1:]:
    text = open(path, "rb").read().lower()
    size += len(text)
    counts.update(text[at:at + 4] for at in range(len(text) - 3))
common = [four for four, count in counts.most_common() if count * 1e6 >= LEAST * size]
letters = [four.decode() for four in common if four.isascii() and sum(chr(b).isalpha() for b in four) >= 3 and four.decode().isprintable() and b" " not in four]
for at in range(0, len(letters), 27):
    print(" ".join(letters[at:at + 27]))
