"""What can go wrong with contacts; `errors` draws the whole tree."""

from owner.models.errors import Conflict, NotFound


class ContactNotFound(NotFound):
    """There is no such contact."""

    code = "contact_not_found"

    def __init__(self, contact_id: int) -> None:
        super().__init__(f"There is no contact {contact_id}.", contact_id=contact_id)


class MergeNotFound(NotFound):
    """There is no such merge of contacts."""

    code = "merge_not_found"

    def __init__(self, merge_id: int) -> None:
        super().__init__(f"There is no merge {merge_id}.", merge_id=merge_id)


class ContactBlocked(Conflict):
    """The contact is blocked; unblock it to write to it."""

    code = "contact_blocked"


class ContactMerged(Conflict):
    """The contact is part of another one now; use that one, or undo the merge."""

    code = "contact_merged"

    def __init__(self, contact_id: int, *, into: int) -> None:
        super().__init__(
            f"Contact {contact_id} is part of contact {into} now; use that one, or undo the merge.",
            contact_id=contact_id,
            merged_into_id=into,
        )


class ContactErased(Conflict):
    """The contact's data was erased, so nothing about it can change."""

    code = "contact_erased"

    def __init__(self, contact_id: int) -> None:
        super().__init__(
            f"The data of contact {contact_id} was erased, so nothing about it can change.",
            contact_id=contact_id,
        )


class AddressTaken(Conflict):
    """The address belongs to another contact; change that one, or merge the two."""

    code = "address_taken"

    def __init__(self, contact_id: int, *, field: str) -> None:
        super().__init__(
            f"The address belongs to contact {contact_id}; change that one, or merge the two.",
            field=field,
            contact_id=contact_id,
        )


class AddressInUse(Conflict):
    """The address has an open conversation; close it first."""

    code = "address_in_use"

    def __init__(self, conv_id: int) -> None:
        super().__init__(
            f"Conversation {conv_id} with this address is open; close it first.", conv_id=conv_id
        )


class MergeUndone(Conflict):
    """The merge was undone already."""

    code = "merge_undone"
