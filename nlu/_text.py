"""TEMPORARY: the text modules, or stand-ins until they are there."""
from __future__ import annotations
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
import pymorphy3

try:
    from nlu.text.normalise import normalise
except ImportError:
    @dataclass(frozen=True)
    class Token:
        start: int
        end: int
        text: str
        lemma: str
        norm: str
    @dataclass(frozen=True)
    class Normalised:
        text: str
        offsets: tuple
        tokens: list
    _m = pymorphy3.MorphAnalyzer()
    @lru_cache(50000)
    def _lemma(w):
        return _m.parse(w)[0].normal_form
    def normalise(text):
        toks = []
        for f in re.finditer(r"\w+", text):
            n = f.group().lower().replace("ё", "е")
            if n.isdigit(): n = "0"
            toks.append(Token(f.start(), f.end(), f.group(), _lemma(n), n))
        return Normalised(text, tuple(range(len(text))), toks)
try:
    from nlu.text.entities import extract
except ImportError:
    @dataclass(frozen=True)
    class Entity:
        entity: str
        value: str
        text: str
        start: int
        end: int
    def extract(text, now):
        return [Entity("order_number", f.group(), f.group(), f.start(), f.end()) for f in re.finditer(r"\b\d{4,8}\b", text)]
try:
    from nlu.text.clauses import split
except ImportError:
    @dataclass(frozen=True)
    class Clause:
        start: int
        end: int
        text: str
    def split(text):
        return [Clause(f.start(), f.end(), f.group()) for f in re.finditer(r"[^.!?\n]+[.!?\n]*", text) if f.group().strip()]
