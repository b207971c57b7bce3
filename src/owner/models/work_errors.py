"""What can go wrong when people and programs share conversations; `errors` draws the whole tree."""

from owner.models.errors import Conflict


class AlreadyAssigned(Conflict):
    """Somebody else has the conversation."""

    code = "already_assigned"

    def __init__(self, assignee_id: int) -> None:
        super().__init__(f"User {assignee_id} has the conversation already.", assignee_id=assignee_id)


class HandledByPerson(Conflict):
    """A person answers this conversation: an AI may write once it is handed to a BOT."""

    code = "handled_by_person"


class TooManyLabels(Conflict):
    """There are as many labels on this conversation as there can be; take one off first."""

    code = "too_many_labels"


class NewerMessage(Conflict):
    """Something newer than `expected_last_msg_id` was said: read it, then decide again."""

    code = "newer_message"


class NewerConversationOpen(Conflict):
    """The customer has a newer conversation that is open: close that one first, or write there."""

    code = "newer_conversation_open"
