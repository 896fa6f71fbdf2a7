"""The ways a text can be read: as it stands, and without the tricks that hide a word from a reader of patterns.

Every reading is lower case, without accents, with single spaces. Markup, invisible characters and letters of other alphabets that
look like ours are undone in all of them; letters spaced out, digits for letters, and points inside words only in later ones.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_TAG: Final = re.compile(r"</?([a-zA-Z][\w-]*)\b[^<>]*>|<!--.*?-->", re.DOTALL)
_INLINE: Final = frozenset("a abbr b big del em font i ins mark s small span strike strong sub sup u wbr".split())
_SOFT_BREAK: Final = re.compile(r"(?<=[^\W\d_])[-\u2010\u2011]\s*\n\s*(?=[a-z\u00e0-\u00ff])")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_EMPHASIS: Final = re.compile(r"[*_~`]+(?=\w)|(?<=\w)[*_~`]+(?=\W|$)|(?<=[^\W\d_])[*_~`]+(?=[^\W\d_])")
_SEPARATORS: Final = r"[\s.\-_*·•|/,'+\u2013\u2014]"

_SPACED_WORDS: Final = re.compile(rf"(?<![^\W_])(?:[^\W\d_]{_SEPARATORS}{{1,3}}){{4,}}[^\W\d_](?![^\W_])")
_LEET_WORD: Final = re.compile(r"[a-z0-9@$!|€+]*[a-z][a-z0-9@$!|€+]*")
_LEET: Final = str.maketrans("0345789@$!|€+", "oeastbgasilet")
_STRETCHED: Final = re.compile(r"([a-z])\1{2,}")
_INSIDE: Final = re.compile(r"(?<=[a-z])[.\-_*·•|/'+~^](?=[a-z])")
# Cyrillic and Greek letters that look like Latin ones, by their lower case.
_LOOKALIKES: Final = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u043a\u043c\u0442\u0432\u043d"
    "\u03b1\u03b2\u03b5\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131",
    "aeopcyxijshdkmtbhabenikmvoptuxi",
)
_MARKS: Final = frozenset("*_~`")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
_QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "´": "'", "ʼ": "'", "“": '"', "”": '"'})


def without_markup(text: str) -> str:
    """The words of a text with tags, entities, invisible characters and emphasis marks taken out; case and accents stay."""
    bare = text
    if "<" in bare:
        bare = _TAG.sub(lambda tag: "" if (tag[1] or "").lower() in _INLINE else " ", bare)
    if "&" in bare:
        bare = html.unescape(bare)
    bare = _SOFT_BREAK.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", bare)))
    return _EMPHASIS.sub("", bare) if _MARKS.intersection(bare) else bare


def plain(text: str) -> str:
    """Lower case, no accents, no markup, single spaces: what the patterns read."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", without_markup(text).lower().translate(_QUOTES)))
    return " ".join((bare if bare.isascii() else bare.translate(_LOOKALIKES)).split())


def readings(text: str) -> tuple[str, ...]:
    """The text as it stands, and where that differs: letters drawn together, digits read as letters, points in words left out."""
    read = plain(text)
    found = [read]
    joined = _joined(text) if _SPACED_WORDS.search(without_markup(text)) else read
    for one in dict.fromkeys(("i", "l")):
        lettered = _LEET_WORD.sub(lambda word, one=one: _lettered(word[0], one), joined)  # type: ignore[misc]
        lettered = _STRETCHED.sub(r"\1", lettered)
        found += [lettered, _INSIDE.sub("", lettered)]
    return tuple(dict.fromkeys(found))


def spaced_capitals(text: str) -> str:
    """The first run of single capital letters set apart (`P A G U E`), or nothing."""
    found = _SPACED_WORDS.search(without_markup(text))
    return found[0] if found is not None and found[0].upper() == found[0] else ""


def _joined(text: str) -> str:
    """`e m b a r g o` is embargo; two spaces, or a point among spaces, end a word of such a run."""
    bare = without_markup(text)

    def join(run: re.Match[str]) -> str:
        words = re.split(r"\s{2,}|\s[.\-/|]\s", run[0])
        return " ".join(re.sub(_SEPARATORS, "", word) for word in words)

    return plain(_SPACED_WORDS.sub(join, bare))


def _lettered(word: str, one: str) -> str:
    """A word with digits or signs among its letters, read as letters; numbers, codes and plain words stay as they are."""
    letters = sum("a" <= c <= "z" for c in word)
    if letters < 2 or letters == len(word) or letters * 2 < len(word):
        return word
    core = word.rstrip("!")
    return core.replace("1", one).translate(_LEET) + word[len(core) :]
