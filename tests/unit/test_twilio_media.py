"""What a file is called by its bytes, and which addresses we never fetch one from."""

import io
import zipfile
from ipaddress import ip_address

import pytest
from yarl import URL

from owner.integrations.twilio.file_types import sniff
from owner.integrations.twilio.transport import Reach
from owner.models.network import is_public

UNKNOWN = "application/octet-stream"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"\xff\xd8\xff\xe0 JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp5", "video/3gpp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"OggS\x00", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"#!AMR\n", "audio/amr"),
        (b"%PDF-1.7", "application/pdf"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "text/vcard"),
        (b"\xef\xbb\xbf\n begin:vcard", "text/vcard"),
        (archive("a.txt"), "application/zip"),
        (archive("[Content_Types].xml", "word/document.xml"), DOCX),
        (archive("[Content_Types].xml", "xl/workbook.xml"), XLSX),
        (b"", UNKNOWN),
        (b"who knows", UNKNOWN),
    ],
)
def test_bytes_name_their_type(content: bytes, content_type: str) -> None:
    assert sniff(content) == content_type
    assert sniff(content, "text/html") == content_type


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"  \n<HTML>",
        b"\xef\xbb\xbf<svg onload=alert(1)>",
        b"<?xml version='1.0'?><svg/>",
        b"alert(1)",
    ],
)
@pytest.mark.parametrize(
    "declared", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "image/png", ""]
)
def test_what_a_browser_would_run_has_no_name(content: bytes, declared: str) -> None:
    assert sniff(content, declared) == UNKNOWN


@pytest.mark.parametrize(
    ("content", "declared", "content_type"),
    [
        (b"a;b\n1;2", "text/csv; charset=utf-8", "text/csv"),
        (b"ol\xc3\xa1", "Text/Plain", "text/plain"),
        (b"hi <script>", "text/plain", UNKNOWN),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword", "application/msword"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "text/plain", UNKNOWN),
        (b"\x00\x00\x00\x18ftypmp42", "audio/mp4", "audio/mp4"),
        (b"\x00\x00\x00\x18ftypmp42", "image/jpeg", "video/mp4"),
        (b"OggS", "audio/opus", "audio/opus"),
        (
            archive("mimetype"),
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text",
        ),
        (archive("mimetype"), "application/java-archive", "application/zip"),
        (b"%PDF-1.7", "image/jpeg", "application/pdf"),
    ],
)
def test_what_was_declared_counts_where_nothing_can_go_wrong(
    content: bytes, declared: str, content_type: str
) -> None:
    assert sniff(content, declared) == content_type


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ],
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_outside_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("https://api.twilio.com/x", True),
        ("https://mcs.us1.twilio.com/x", True),
        ("http://mock.internal:4010/x", True),  # the configured API
        ("http://mock.internal:4011/x", False),
        ("https://mock.internal:4010/x", False),
        ("http://api.twilio.com/x", False),
        ("https://api.twilio.com:8443/x", False),
        ("https://api.twilio.com.evil.example/x", False),
        ("https://eviltwilio.com/x", False),
        ("https://api.twilio.com@evil.example/x", False),
        ("https://media.twiliocdn.com/x", False),
    ],
)
def test_credentials_go_to_the_providers_own_hosts_only(url: str, is_trusted: bool) -> None:  # noqa: FBT001
    assert Reach(URL("http://mock.internal:4010")).is_trusted(URL(url)) is is_trusted
