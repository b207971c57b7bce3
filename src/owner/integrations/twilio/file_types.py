"""What a file is by its first bytes; what others call it counts only where nothing can go wrong."""

from typing import Final, NamedTuple

UNKNOWN: Final = "application/octet-stream"
ZIP: Final = "application/zip"

_LOOKED_AT: Final = 1024  # bytes
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_OFFICE_BY_FOLDER: Final = {
    b"word/": f"{_OFFICE}wordprocessingml.document",
    b"xl/": f"{_OFFICE}spreadsheetml.sheet",
    b"ppt/": f"{_OFFICE}presentationml.presentation",
}


class Magic(NamedTuple):
    content_type: str
    start: bytes
    later: bytes = b""  # at `offset`, where the start alone says too little
    offset: int = 0


_MAGIC: Final = (
    Magic("image/jpeg", b"\xff\xd8\xff"),
    Magic("image/png", b"\x89PNG\r\n\x1a\n"),
    Magic("image/gif", b"GIF87a"),
    Magic("image/gif", b"GIF89a"),
    Magic("image/webp", b"RIFF", b"WEBP", 8),
    Magic("image/tiff", b"II*\x00"),
    Magic("image/tiff", b"MM\x00*"),
    Magic("audio/wav", b"RIFF", b"WAVE", 8),
    Magic("image/heic", b"", b"ftyphei", 4),
    Magic("image/heic", b"", b"ftypmif1", 4),
    Magic("image/avif", b"", b"ftypavif", 4),
    Magic("video/3gpp", b"", b"ftyp3g", 4),
    Magic("video/quicktime", b"", b"ftypqt", 4),
    Magic("audio/mp4", b"", b"ftypM4A", 4),
    Magic("video/mp4", b"", b"ftyp", 4),
    Magic("video/webm", b"\x1a\x45\xdf\xa3"),
    Magic("audio/ogg", b"OggS"),
    Magic("audio/amr", b"#!AMR"),
    Magic("audio/mpeg", b"ID3"),
    Magic("audio/aac", b"\xff\xf1"),
    Magic("audio/aac", b"\xff\xf9"),
    Magic("audio/mpeg", b"\xff\xfb"),
    Magic("audio/mpeg", b"\xff\xf3"),
    Magic("audio/mpeg", b"\xff\xf2"),
    Magic("application/pdf", b"%PDF-"),
    Magic("application/rtf", b"{\\rtf"),
    Magic(ZIP, b"PK\x03\x04"),
    Magic(ZIP, b"PK\x05\x06"),
)

# One container holds sound or pictures: of these the sender knows better.
_SAME_BYTES: Final = {
    "video/mp4": {"audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac"},
    "video/3gpp": {"audio/3gpp", "video/3gpp2", "audio/3gpp2"},
    "video/webm": {"audio/webm", "video/x-matroska"},
    "audio/ogg": {"audio/opus", "video/ogg", "application/ogg"},
    "image/heic": {"image/heif"},
    "audio/wav": {"audio/x-wav", "audio/wave"},
    "audio/mpeg": {"audio/mp3"},
    ZIP: {
        *_OFFICE_BY_FOLDER.values(),
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
    },
}
_OLE_TYPES: Final = {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
_HARMLESS: Final = {"text/plain", "text/csv", "text/calendar", "audio/basic", "audio/l24"}
_MARKUP: Final = (
    b"<!",
    b"<?",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<svg",
    b"<iframe",
    b"<img",
    b"<style",
)


def sniff(content: bytes, declared: str = "") -> str:
    """The type to store and to serve; what a browser would run is never called by its name."""
    claimed = declared.partition(";")[0].strip().lower()
    found = _by_magic(content)
    if found is None:
        return _by_text(content, claimed)
    if claimed in _SAME_BYTES.get(found, ()):
        return claimed
    return _in_zip(content) if found == ZIP else found


def _by_magic(content: bytes) -> str | None:
    return next(
        (
            magic.content_type
            for magic in _MAGIC
            if content.startswith(magic.start) and content.startswith(magic.later, magic.offset)
        ),
        None,
    )


def _in_zip(content: bytes) -> str:
    """Office documents are archives with a folder of a known name."""
    if b"[Content_Types].xml" not in content:
        return ZIP
    return next((kind for folder, kind in _OFFICE_BY_FOLDER.items() if folder in content), ZIP)


def _by_text(content: bytes, claimed: str) -> str:
    start = content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"begin:vcard"):
        return "text/vcard"
    if content.startswith(_OLE):
        return claimed if claimed in _OLE_TYPES else UNKNOWN
    if claimed not in _HARMLESS or any(tag in start for tag in _MARKUP):
        return UNKNOWN
    return claimed
