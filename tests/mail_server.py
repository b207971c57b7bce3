"""A mail server of this machine that takes what it is given, or refuses it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What came in; `refusal` is said instead of taking a recipient."""

    port: int = 0
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refusal: str | None = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        await _say(writer, "220 mail.example")
        while line := (await reader.readline()).decode().strip():
            match line.upper().split(maxsplit=1)[0]:
                case "EHLO":
                    await _say(writer, "250-mail.example\r\n250 SMTPUTF8")
                case "RCPT":
                    recipients.append(line.partition("<")[2].partition(">")[0])
                    await _say(writer, self.refusal or "250 ok")
                case "DATA":
                    await _say(writer, "354 go on")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    message = message_from_bytes(content[:-5], policy=policy.default)
                    assert isinstance(message, EmailMessage)
                    self.taken.append((recipients, message))
                    await _say(writer, "250 ok")
                case "QUIT":
                    await _say(writer, "221 bye")
                    break
                case _:
                    await _say(writer, "250 ok")
        writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    mail = MailServer()
    server = await asyncio.start_server(mail.talk, "127.0.0.1", 0)
    mail.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mail


async def _say(writer: asyncio.StreamWriter, words: str) -> None:
    writer.write(words.encode() + b"\r\n")
    await writer.drain()
