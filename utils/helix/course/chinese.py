"""The README in Chinese, made from the English one and from ``source/zh.toml``, which holds the Chinese of each piece.

Each piece carries the hash of the English that it was made from. When the English changes, its Chinese is no longer
found, and the gate names both: the English that lacks a translation, and the Chinese that translates nothing any more.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from helix import paths

MEMORY = "source/zh.toml"
README = "README.zh.md"
_GENERATED = re.compile(r"(<!-- (?P<name>\w+): made by .*? -->\n.*?\n<!-- end of (?P=name) -->)", re.DOTALL)


class StaleTranslation(ValueError):
    """`source/zh.toml` cannot be read; the message says what to do."""


@dataclass
class Translator:
    """Translates pieces of English, and keeps what it lacked and what it used."""

    memory: dict[str, str]
    missing: list[str]
    used: set[str]

    def __call__(self, english: str) -> str:
        """Return the Chinese of a piece; the English itself, noted as missing, if there is none."""
        key = key_of(english)
        if key in self.memory:
            self.used.add(key)
            return self.memory[key]
        self.missing.append(english)
        return english


def translator() -> Translator:
    """Return a translator with the memory as it stands.

    Raises
    ------
    StaleTranslation
        If the memory is no TOML, or a piece lacks its hash or its Chinese, or stands there twice.
    """
    file = paths.root() / MEMORY
    return Translator(dict(_memory(file, file.stat().st_mtime_ns)), [], set())


@lru_cache(maxsize=4)
def _memory(file: Path, changed: int) -> dict[str, str]:
    """Read the memory; `changed`, its time stamp, makes an edited file be read again."""
    try:
        pieces = [
            (one["english"], one["chinese"].strip("\n"))
            for one in tomllib.loads(file.read_text("utf-8")).get("piece", [])
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise StaleTranslation(
            f"{MEMORY} cannot be read ({error}): each [[piece]] has `english`, a hash, and `chinese`, a text."
        ) from None
    twice = {key for number, (key, _) in enumerate(pieces) if key in [before for before, _ in pieces[:number]]}
    if twice:
        raise StaleTranslation(f"{MEMORY} has more than one piece for {', '.join(sorted(twice))}. Keep the right one.")
    return dict(pieces)


def key_of(english: str) -> str:
    """Return the hash that a translation carries: of the words, whichever way the lines are broken."""
    return hashlib.sha256(" ".join(english.split()).encode()).hexdigest()[:10]


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split a Markdown text into its pieces: ``(kind, piece)``, a kind being ``text``, ``code``, or a generated part's name."""
    for number, part in enumerate(_GENERATED.split(text)):
        if number % 3 == 1:
            name = _GENERATED.match(part)
            yield (name["name"] if name else ""), part
        elif number % 3 == 0:
            for fence in re.split(r"(^```.*?^```$)", part, flags=re.MULTILINE | re.DOTALL):
                if fence.startswith("```"):
                    yield "code", fence
                else:
                    yield from (("text", block.strip("\n")) for block in re.split(r"\n\s*\n", fence) if block.strip())


def readme(english: str, generated: dict[str, str], translate: Translator) -> str:
    """Return the Chinese README.

    Parameters
    ----------
    english : str
        The English README, current.
    generated : dict of str to str
        The generated parts in Chinese, by name.
    translate : Translator
        Gives the Chinese of each piece; afterwards it says which were missing.
    """
    told = []
    for kind, piece in pieces(english):
        if kind in ("text", "code"):
            told.append(f"<!-- {key_of(piece)} -->\n{translate(piece)}")
        else:
            told.append(generated[kind])
    return "\n\n".join(told) + "\n"


def lacks(translate: Translator) -> list[str]:
    """Return what has gone stale, a sentence each, after a translator has done its work."""
    found = [
        f'{MEMORY} has no Chinese for "{_start(english)}" (english = "{key_of(english)}").'
        for english in dict.fromkeys(translate.missing)
    ]
    return found + [
        f'{MEMORY}: the English of "{_start(chinese)}" ({key}) has changed or is gone. Translate what stands there now.'
        for key, chinese in translate.memory.items()
        if key not in translate.used
    ]


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}…"
