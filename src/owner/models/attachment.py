"""Files that people send to customers: what each channel takes, and what they may be called."""

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from owner.models.enums import Channel
from owner.models.errors import InvalidInput, PayloadTooLarge, UnsupportedMediaType
from owner.models.message import MAXIMUM_MEDIA

MEGABYTE: Final = 1024 * 1024
LARGEST_UPLOAD: Final = 16 * MEGABYTE  # of any channel
LONGEST_NAME: Final = 100
UNNAMED: Final = "file"

_PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif"})
_MMS: Final = _PICTURES | {
    "audio/amr",
    "audio/mp4",
    "audio/mpeg",
    "video/3gpp",
    "video/mp4",
    "application/pdf",
    "text/vcard",
}
_OTHERS: Final = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/webp",
        "audio/aac",
        "audio/amr",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "video/3gpp",
        "video/mp4",
        "application/pdf",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "text/plain",
        "text/vcard",
    }
)
_UNWANTED: Final = re.compile(r"[^\w .()-]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sends it; name and type are what it claims."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


def accepted_types(channel: Channel) -> Sequence[str]:
    """What a browser offers to choose."""
    return sorted(_MMS if channel is Channel.SMS else _OTHERS)


def takes_several(channel: Channel) -> bool:
    """Whether a message may have more than one file."""
    return channel is Channel.SMS


def refuse_unfit(channel: Channel, files: Sequence[tuple[str, int]]) -> None:
    """Raise for types and sizes, in bytes, that Twilio would refuse on the channel, and for too many of them."""
    if len(files) > (MAXIMUM_MEDIA if takes_several(channel) else 1):
        raise InvalidInput("Too many files for one message: send one after the other.", field="files")
    for content_type, size in files:
        if content_type not in accepted_types(channel):
            raise UnsupportedMediaType(f"Files of the kind {content_type} can't be sent on this channel.")
        if size == 0:
            raise InvalidInput("The file is empty.", field="files")
        if size > (limit := _limit(channel, content_type)):
            raise PayloadTooLarge(
                f"The file is larger than {limit // 1024} KB, which this channel can't take."
            )
    if channel is Channel.SMS and sum(size for _, size in files) > 5 * MEGABYTE:
        raise PayloadTooLarge("The files together are larger than 5 MB, which this channel can't take.")


def _limit(channel: Channel, content_type: str) -> int:
    """Bytes of one file, as Twilio has it."""
    if channel is not Channel.SMS:
        return LARGEST_UPLOAD
    return 5 * MEGABYTE if content_type in _PICTURES else MEGABYTE // 2


def fit_name(name: str, content_type: str) -> str:
    """A name without folders and odd characters, whose ending says what the file is."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = PurePosixPath(_UNWANTED.sub("_", last).strip(" ._"))
    stem = plain.stem.strip(" ._")[:LONGEST_NAME] or UNNAMED
    if mimetypes.guess_type(plain.name)[0] == content_type:
        return f"{stem}{plain.suffix}"
    return f"{stem}{mimetypes.guess_extension(content_type) or ''}"
