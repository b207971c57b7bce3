"""Every sentence of the inbox exists in every language."""

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from owner.inbox import rendering

KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "say": None}


def sentences() -> set[str]:
    with (rendering.FOLDER / "wording" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(rendering.FOLDER, methods, options, keywords=KEYWORDS)
    return {words if isinstance(words, str) else words[0] for _, _, words, _, _ in found}


@pytest.mark.parametrize("language", ["pt", "es"])
def test_every_sentence_is_translated_and_none_is_left_over(language: str) -> None:
    path: Path = rendering.FOLDER / "wording" / f"{language}.po"
    with path.open("rb") as file:
        catalog = read_po(file)
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalog
        if message.id and message.string and not message.fuzzy
    }

    assert translated == sentences(), "run `make wording` and translate what is new"
