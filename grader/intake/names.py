"""File names that strangers chose: shown safely, decoded, taken apart, recognised as junk."""

from __future__ import annotations

import re
import unicodedata
import zipfile

_JUNK_FOLDERS = {"__macosx", ".spotlight-v100", ".trashes", ".fseventsd", ".ipynb_checkpoints", "__pycache__"}
_JUNK_FILES = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".gitkeep", ".localized"}
_SHOWN_CHARACTERS = 90


class UnsafeName(ValueError):
    """A name that does not stay inside the folder it is unpacked to; ``str(error)`` says why."""


def printable(name: str, most: int = _SHOWN_CHARACTERS) -> str:
    """The name as it may be printed: no control or direction characters, no broken Unicode, not endlessly long."""
    shown = "".join(_escaped(character) for character in name)
    return shown if len(shown) <= most else f"{shown[: most - 30]}…{shown[-29:]}"


def _escaped(character: str) -> str:
    if character == " " or unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def decode_zip_name(info: zipfile.ZipInfo) -> tuple[str, str | None]:
    """The name of a zip entry, and the encoding it was recovered from where the zip does not say UTF-8.

    Without that flag :mod:`zipfile` reads bytes as CP437. macOS writes UTF-8 there, Windows in Taiwan CP950 (Big5).
    """
    stored = info.orig_filename
    if stored.isascii() or info.flag_bits & 0x800:
        return stored, None
    for encoding in ("utf-8", "cp950"):
        try:
            return stored.encode("cp437").decode(encoding), encoding
        except UnicodeError:
            continue
    return stored, "cp437"


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file name of an archive entry; both slashes separate, as old Windows tools write ``\\``.

    Raises :class:`UnsafeName`.
    """
    if "\0" in name:
        raise UnsafeName("it holds a NUL character")
    if name.startswith(("/", "\\")):
        raise UnsafeName("it is an absolute path")
    if re.match(r"[A-Za-z]:", name):
        raise UnsafeName("it names a drive")
    parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", "."))
    if ".." in parts:
        raise UnsafeName("“..” leads out of the folder")
    if not parts:
        raise UnsafeName("it is empty")
    return parts


def is_junk(parts: tuple[str, ...]) -> bool:
    """What macOS, Windows and notebooks leave behind."""
    name = parts[-1].lower()
    in_junk = any(part.lower() in _JUNK_FOLDERS for part in parts)
    return in_junk or name in _JUNK_FILES or name.startswith("._")


def folded(parts: tuple[str, ...]) -> str:
    """The path as a disk that ignores case sees it."""
    return unicodedata.normalize("NFKC", "/".join(parts)).casefold()


def on_disk(index: int, parts: tuple[str, ...]) -> str:
    """A name for an unpacked entry that is unique and allowed on every system, whatever the entry is called."""
    kept = re.sub(r"[^A-Za-z0-9._-]", "_", parts[-1])[-60:]
    return f"{index:05d}_{kept}"
