"""What kind of file comes in, told by its bytes as they pass: never by its name, and without opening it.

Taken are pictures, sound, video, PDF, office documents without macros, plain text. Programs, scripts, pages (HTML, SVG) and
archives are not, whatever they are called, nor a picture that is a page as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import filetype

from bot.errors import FileNotTaken

HEAD = 8192
"""Bytes from which the kind is told; `filetype` looks at no more."""

MEDIA = {
    "image/jpeg": "jpg", "image/png": "png", "image/apng": "png", "image/gif": "gif", "image/webp": "webp",
    "image/heic": "heic", "image/avif": "avif", "image/tiff": "tif", "image/bmp": "bmp",
    "audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/aac": "aac", "audio/amr": "amr",
    "audio/x-wav": "wav", "audio/x-flac": "flac",
    "video/mp4": "mp4", "video/x-m4v": "m4v", "video/3gpp": "3gp", "video/quicktime": "mov", "video/webm": "webm",
    "video/x-matroska": "mkv", "video/x-msvideo": "avi", "video/x-ms-wmv": "wmv", "video/mpeg": "mpg",
    "application/pdf": "pdf", "application/rtf": "rtf",
}  # fmt: skip
TEXTS = {"": "text/plain", ".txt": "text/plain", ".log": "text/plain", ".csv": "text/csv", ".tsv": "text/plain"}
"""Plain text is taken under these names only: by its bytes alone a script is plain text too."""

_OPENXML = "application/vnd.openxmlformats-officedocument."
_OPENDOCUMENT = "application/vnd.oasis.opendocument."
ZIPPED = {
    b"word/document.xml": f"{_OPENXML}wordprocessingml.document",
    b"xl/workbook.": f"{_OPENXML}spreadsheetml.sheet",
    b"ppt/presentation.xml": f"{_OPENXML}presentationml.presentation",
}
COMPOUND = {
    "WordDocument".encode("utf-16-le"): "application/msword",
    "Workbook".encode("utf-16-le"): "application/vnd.ms-excel",
    "PowerPoint Document".encode("utf-16-le"): "application/vnd.ms-powerpoint",
}
"""Names inside an office document that tell what it is; they stand there uncompressed."""
EXTENSIONS = {
    **MEDIA, "text/plain": "txt", "text/csv": "csv",
    "application/msword": "doc", "application/vnd.ms-excel": "xls", "application/vnd.ms-powerpoint": "ppt",
    f"{_OPENXML}wordprocessingml.document": "docx", f"{_OPENXML}spreadsheetml.sheet": "xlsx",
    f"{_OPENXML}presentationml.presentation": "pptx",
    f"{_OPENDOCUMENT}text": "odt", f"{_OPENDOCUMENT}spreadsheet": "ods", f"{_OPENDOCUMENT}presentation": "odp",
}  # fmt: skip

_OFFICE_FIRST = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/", b"customXml/")
_MACROS = (b"vbaProject.bin", "_VBA_PROJECT".encode("utf-16-le"), b"Basic/script-lc.xml", b"\\objdata")
_PAGE = (b"<html", b"<!doctype html", b"<script", b"<svg", b"<body", b"<iframe", b"<?php", b"<hta:")
_LONGEST = max(map(len, (*_MACROS, *_PAGE, *ZIPPED, *COMPOUND)))


class Kind:
    """Tells the kind of one file from its bytes. `feed` each piece in order, then `finish`."""

    def __init__(self, name: str | None = None) -> None:
        """`name`: what the sender calls the file; asked only whether a plain text is a script."""
        self._suffix = PurePosixPath((name or "").strip()).suffix.lower()
        self._head, self._tail = b"", b""
        self._mime: str | None = None
        # by the head
        self._found: set[bytes] = set()
        # names inside an office document

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes. FileNotTaken as soon as it is clear that the file is none of those that are taken."""
        if self._mime is None:
            self._head += piece
            if len(self._head) < HEAD:
                return
            piece, self._head = self._head, self._head[:HEAD]
            self._mime = self._by_head()
        self._look(piece)

    def finish(self) -> str:
        """The MIME type of the file, now that it has all been seen. FileNotTaken when it is of a kind not taken."""
        if self._mime is None:
            self._mime = self._by_head()
            self._look(self._head)
        if self._mime == "zipped":
            return _first(ZIPPED, self._found)
        return _first(COMPOUND, self._found) if self._mime == "compound" else self._mime

    def _by_head(self) -> str:
        """The type by the first bytes; `zipped` and `compound` are office documents of a type not known yet."""
        head = self._head
        if any(mark in head.lower() for mark in _PAGE):
            raise FileNotTaken("a page or a script")
        if head.startswith(b"PK\x03\x04"):
            if head[30:].startswith(_OFFICE_FIRST):
                return "zipped"
            kind = head[38:88].split(b"PK")[0].decode("ascii", "replace") if head[30:38] == b"mimetype" else ""
            if kind in EXTENSIONS:
                return kind
            raise FileNotTaken("an archive")
        if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            return "compound"
        guessed = filetype.guess_mime(head)
        if guessed in MEDIA:
            return str(guessed)
        if guessed is None and self._suffix in TEXTS and _is_text(head):
            return TEXTS[self._suffix]
        raise FileNotTaken(str(guessed or "a kind that is not known"))

    def _look(self, piece: bytes) -> None:
        """Look for what must not be in such a file, also across the border of two pieces."""
        if self._mime in MEDIA and self._mime != "application/rtf":
            return
        seen = self._tail + piece
        self._tail = seen[-_LONGEST:]
        if self._mime in TEXTS.values():
            if b"\x00" in piece or any(mark in seen.lower() for mark in _PAGE):
                raise FileNotTaken("a text that is none")
            return
        if any(mark in seen for mark in _MACROS):
            raise FileNotTaken("a document with macros")
        self._found |= {mark for mark in (*ZIPPED, *COMPOUND) if mark in seen}


def extension(mime: str | None) -> str:
    """The ending of a file's name that goes with its type."""
    return EXTENSIONS.get(mime or "", "bin")


def _first(kinds: dict[bytes, str], found: Iterable[bytes]) -> str:
    for mark, mime in kinds.items():
        if mark in found:
            return mime
    raise FileNotTaken("an archive")


def _is_text(head: bytes) -> bool:
    """Whether bytes are plain text, in UTF-8 or an older encoding: there is a line, and no control characters."""
    controls = any(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return bool(head.strip()) and not controls and not head.startswith((b"#!", b"\xff\xfe", b"\xfe\xff"))
