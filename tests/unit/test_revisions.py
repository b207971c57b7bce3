"""Which programs work with which schema."""

import pytest

from owner.db.revisions import Schema, head_revision, oldest_served

NEWER = "9999"


@pytest.mark.parametrize(
    ("revisions", "oldest"),
    [
        ([("0001", "0001")], "0001"),
        ([("0001", "0001"), ("0002", "0002")], "0002"),
        ([("0001", "0001"), ("0002", "0001")], "0001"),
        ([("0001", "0001"), ("0002", "0001"), ("0003", "0002")], "0002"),
        ([("0001", "0001"), ("0002", "0002"), ("0003", "0001")], "0002"),
        ([("0001", "0001"), ("0002", "0001"), ("0003", "0001")], "0001"),
    ],
    ids=[
        "the first",
        "a contraction",
        "an expansion",
        "a contraction of what the last but one used",
        "an expansion after a contraction",
        "two expansions",
    ],
)
def test_a_program_has_to_bear_every_revision_newer_than_its_own(
    revisions: list[tuple[str, str]], oldest: str
) -> None:
    assert oldest_served(revisions) == oldest


@pytest.mark.parametrize(
    ("schema", "is_fit"),
    [
        (Schema(None), False),
        (Schema("0001"), False),
        (Schema(head_revision()), True),
        (Schema(NEWER), False),
        (Schema(NEWER, serves=head_revision()), True),
        (Schema(NEWER, serves="0001"), True),
        (Schema(NEWER, serves=NEWER), False),
        (Schema("0001", serves="0001"), False),
    ],
)
def test_a_newer_schema_fits_if_it_says_that_it_still_serves_this_program(
    schema: Schema,
    is_fit: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert schema.is_fit is is_fit
