"""What the database must not know, and how its keys are changed."""

import pytest

from owner.models.errors import Misconfigured
from owner.services.secrets_box import FernetBox, new_secret_key

OLD, NEW = new_secret_key(), new_secret_key()


def test_a_secret_comes_back_and_is_not_to_be_seen() -> None:
    box = FernetBox([OLD])

    token = box.encrypt("the token, çã")

    assert b"token" not in token
    assert box.decrypt(token) == "the token, çã"
    assert box.encrypt("the token, çã") != token


def test_what_the_former_key_encrypted_is_read_and_rotated_to_the_new_one() -> None:
    token = FernetBox([OLD]).encrypt("secret")
    both = FernetBox([NEW, OLD])

    rotated = both.rotate(token)

    assert both.decrypt(token) == "secret"
    assert FernetBox([NEW]).decrypt(rotated) == "secret"


def test_a_missing_key_says_what_to_do() -> None:
    token = FernetBox([OLD]).encrypt("secret")

    for read in (FernetBox([NEW]).decrypt, FernetBox([NEW]).rotate):
        with pytest.raises(Misconfigured, match="add the former key") as problem:
            read(token)
        assert problem.value.field == "OWNER_SECRET_KEY"


@pytest.mark.parametrize("keys", [["short"], ["ã" * 44], [""], []])
def test_what_is_no_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(Misconfigured):
        FernetBox(keys)
