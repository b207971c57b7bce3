"""Answers by their shortcuts."""

from typing import ClassVar

from owner.models.canned_reply import CannedReply
from owner.models.errors import AlreadyExists, OwnerError
from owner.repositories.base import BaseRepository


class CannedReplyRepository(BaseRepository[CannedReply]):
    """Answers by their shortcuts."""

    entity: ClassVar = CannedReply
    table: ClassVar = "canned_replies"
    key: ClassVar = "canned_reply_id"

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("A canned reply with this shortcut exists already.", field="shortcut")
