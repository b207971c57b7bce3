"""What was found at Twilio, said in the reader's language."""

from typing import Final

from owner.inbox.language import Voice
from owner.wording import later as _

PLACE: Final = "%(it)s"
SENTENCES: Final = (
    _("The credentials were refused."),
    _("Enter %(it)s for this sender in Twilio's console: its API does not tell."),
    _("The Twilio account has no such number."),
    _("An application answers in the place of the number's own URL."),
    _("The Twilio account has no such Messaging Service."),
    _("The service leaves messages to the URLs of its numbers."),
    _("Without %(it)s Twilio tries again only when it could not connect."),
    _("No URL is entered."),
    _("Another URL or method is entered."),
    _("It could not be repaired: %(it)s"),
)
"""Those of `services/channel_setup.py`, which REST tells as they are."""


def in_words(voice: Voice, detail: str) -> str:
    """A sentence that has no words here stays as it is."""
    for sentence in SENTENCES:
        start, place, end = sentence.partition(PLACE)
        if not place and detail == sentence:
            return voice.say(sentence)
        if place and detail.startswith(start) and detail.endswith(end):
            return voice.say(sentence, it=voice.reason(detail[len(start) : len(detail) - len(end)]))
    return detail
