"""The kind of a file is told by its bytes, whatever its name says."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from bot.errors import FileNotTaken
from bot.file_kinds import EXTENSIONS, Kind

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000ffda0008010100003f0054dfffd9"
)  # fmt: skip
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
OGG = b"OggS\x00\x02" + b"\x00" * 20 + b"\x01\x13OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\x00\x00\x00\x08free"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PE = b"MZ\x90\x00\x03\x00\x00\x00" + b"\x00" * 52 + struct.pack("<I", 64) + b"PE\x00\x00\x4c\x01" + b"\x00" * 200
ELF = b"\x7fELF\x02\x01\x01" + b"\x00" * 100
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


def png() -> bytes:
    """A picture of one point."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\x00\xff")) + chunk(b"IEND", b"")
    )


def zipped(*names: str, content: bytes = b"<x/>") -> bytes:
    """A ZIP archive with files of these names."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return made.getvalue()


def opendocument() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<x/>")
    return made.getvalue()


DOCX = zipped("[Content_Types].xml", "_rels/.rels", "docProps/app.xml", "word/document.xml")
XLSX = zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")
BOMB = zipped("a.txt", content=b"\x00" * 30_000_000)


def kind(data: bytes, name: str | None = None, *, step: int = 700) -> str:
    """What a file that comes in small pieces is taken for."""
    telling = Kind(name)
    for at in range(0, len(data), step):
        telling.feed(data[at : at + step])
    return telling.finish()


@pytest.mark.parametrize(
    ("data", "name", "ending"),
    [
        (JPEG, "photo.jpg", "jpg"), (png(), None, "png"), (GIF, None, "gif"), (OGG, None, "ogg"), (MP4, "видео.mp4", "mp4"),
        (b"ID3\x04" + b"\x00" * 100, "song.mp3", "mp3"), (PDF, "чек.pdf", "pdf"), (JPEG, "virus.exe", "jpg"),
        (DOCX, "заявление.docx", "docx"), (XLSX, None, "xlsx"), (opendocument(), None, "odt"),
        (COMPOUND + "WordDocument".encode("utf-16-le"), "old.doc", "doc"),
        (COMPOUND + b"\x00" * 20_000 + "Workbook".encode("utf-16-le"), "old.xls", "xls"),
        ("Где мой заказ 12345?\r\n".encode(), "вопрос.txt", "txt"), ("номер;сумма\n1;2\n".encode("cp1251"), "таблица.csv", "csv"),
        (("а" + "Я" * 9000).encode(), "длинный.txt", "txt"),
        (b"{\\rtf1\\ansi Hello}", "a.rtf", "rtf"),
    ],
)  # fmt: skip
def test_what_is_taken_is_known_by_its_bytes(data: bytes, name: str | None, ending: str) -> None:
    assert EXTENSIONS[kind(data, name)] == ending


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PE, "photo.jpg"), (ELF, "photo.png"), (SVG, "logo.svg"), (SVG, "photo.jpg"), (SVG, "note.txt"),
        (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "a.txt"),
        (b"GIF89a=1;/*" + b"\x00" * 20 + b"*/<ScRiPt>alert(1)</script>", "a.gif"), (JPEG[:20] + b"<html><body>" + JPEG[20:], "a.jpg"),
        (b"#!/bin/sh\nrm -rf /\n", "a.txt"), (b"@echo off\ndel *.*\n", "a.bat"), (b"import os\n", "a.py"), (b"WScript.Echo(1)", "a.js"),
        (b"some words\n" * 2000 + b"<script>alert(1)</script>", "a.txt"), (b"words\n" * 2000 + b"\x00\x01", "a.txt"),
        (zipped("a.txt"), "a.zip"), (zipped("a.txt"), "a.docx"), (BOMB, "a.docx"), (zipped("META-INF/MANIFEST.MF"), "a.jar"),
        (zipped("[Content_Types].xml", "a.txt"), "a.docx"),
        (zipped("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), "a.docx"),
        (COMPOUND + "WordDocument".encode("utf-16-le") + b"\x00" * 900 + "_VBA_PROJECT".encode("utf-16-le"), "a.doc"),
        (COMPOUND + b"\x00" * 9000, "setup.msi"), (b"{\\rtf1{\\object{\\*\\objdata 0105}}}", "a.rtf"),
        (b"Rar!\x1a\x07\x00" + b"\x00" * 50, "a.rar"), (b"7z\xbc\xaf\x27\x1c" + b"\x00" * 50, "a.7z"), (b"\x1f\x8b\x08" + b"\x00" * 50, "a.gz"),
        (b"\xca\xfe\xba\xbe" + b"\x00" * 50, "A.class"), (b"", "empty.txt"), (b"", None), (b"\x00\x01\x02\x03" * 50, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1 << 20, 333])
def test_what_is_not_taken_is_refused_whatever_its_name_says(data: bytes, name: str | None, step: int) -> None:
    with pytest.raises(FileNotTaken):
        kind(data, name, step=step)


def test_a_program_is_refused_at_its_first_bytes() -> None:
    telling = Kind("photo.jpg")
    with pytest.raises(FileNotTaken):
        telling.feed(PE + b"\x00" * 8192)
