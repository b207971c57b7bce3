"""Every sentence of the inbox, of the customer's phone and of Twilio's errors exists in every language."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from owner.inbox import language as inbox
from owner.inbox.language import Voice
from owner.inbox.settings.twilio_findings import in_words
from owner.integrations.simulator import page as phone
from owner.integrations.twilio import errors as twilio

KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "say": None,
    "KnownError": (2,),
    "ProviderError": (1,),
}


def sentences(folder: Path) -> set[str]:
    with (folder / "wording" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(folder, methods, options, keywords=KEYWORDS)
    return {words if isinstance(words, str) else words[0] for _, _, words, _, _ in found}


@pytest.mark.parametrize("language", ["pt", "es"])
@pytest.mark.parametrize("folder", [inbox.FOLDER, phone.FOLDER, twilio.FOLDER])
def test_every_sentence_is_translated_and_none_is_left_over(folder: Path, language: str) -> None:
    path = folder / "wording" / f"{language}.po"
    with path.open("rb") as file:
        catalog = read_po(file)
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalog
        if message.id and message.string and not message.fuzzy
    }

    assert translated == sentences(folder), "run `make wording` and translate what is new"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("No URL is entered.", "Nenhuma URL está inserida."),
        (
            "Enter https://a.example/in for this sender in Twilio's console: its API does not tell.",
            "Insira https://a.example/in para este remetente no console do Twilio: a API dele não diz.",
        ),
        ("Something new.", "Something new."),
    ],
)
def test_what_was_found_at_twilio_is_said_in_the_readers_language(found: str, said: str) -> None:
    assert in_words(Voice("pt", ZoneInfo("UTC")), found) == said
