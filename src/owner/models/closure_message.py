"""Reads a customer's message clause by clause: what it says of the end, and what is left over."""

import re
from typing import Any, Final

from owner.models.closure_phrases import Item, lexicon
from owner.models.closure_reading import Reading
from owner.models.closure_roles import ClauseRoles, Role
from owner.models.closure_sections import (
    COMMANDS,
    DECLINES,
    LEAVES,
    NEUTRAL,
    POLITE,
    SOFT,
    TAKES_A_NAME,
    TAKES_ANY_NAME,
    Section,
)
from owner.models.closure_text import clauses_of, words_of

_READ_AT_MOST: Final = 5_000  # characters from the end, where a goodbye is; channels carry fewer
_QUOTATION: Final = re.compile(r'["“«][^"“”«»\n]+ [^"“”«»\n]+["”»]')  # more than one word
_JOINED: Final = [Section.GREETING, Section.THANKS]
_LONGEST_SLIP: Final = 2  # words
_LONGEST_SIGNATURE: Final = 3  # words after "kind regards"
_SAYS_NOTHING: Final = frozenset({Section.FILLER, Section.PLEASE, Section.PICTURE})


def read_message(text: str, own: dict[str, Any] | None = None) -> Reading:
    """The reading of a message up to what forbids to close: nothing after it counts. `own` holds the owner's phrases."""
    reading = Reading()
    for clause in clauses_of(_without_quotations(text[-_READ_AT_MOST:])):
        _ClauseReader(clause, lexicon().items(clause.words, own), reading).read()
        if reading.vetoes:
            return reading
    if not reading.evidence and 0 < len(reading.left_over) <= _LONGEST_SLIP:
        _read_slip(text, reading)
    if reading.looks_back is not None and not reading.find(LEAVES):
        reading.vetoes.append(reading.looks_back)
    return reading


def _without_quotations(text: str) -> str:
    """Without what somebody else said: "it printed "thank you, bye" and stopped"; a message all in quotes is theirs."""
    if '"' not in text and "“" not in text and "«" not in text:
        return text
    if not _QUOTATION.sub("", text).strip():
        return text
    return _QUOTATION.sub(" quotation ", text)


def _read_slip(text: str, reading: Reading) -> None:
    """A message that is nothing but a short goodbye or thanks with a slip in it: "tchsu", "hasta lugo"."""
    words = words_of(text)
    if len(words) > _LONGEST_SLIP:
        return
    section = lexicon().slip(words)
    if section is not None:
        reading.left_over.clear()
        reading.evidence.append(Item(section, " ".join(words), is_corrected=True))


class _ClauseReader(ClauseRoles):
    """Goes through one clause and adds to the reading."""

    def read(self) -> None:
        reading = self.reading
        if self.clause.is_asked and not self._asks_nothing():
            reading.vetoes.append(Item(Section.QUESTION, "?"))
            return
        if reading.evidence and (self._is_signature() or self._is_name()):
            reading.name = self.items[0]
            return
        self._read_items()
        if reading.vetoes:
            return
        reading.sentence = self.clause.sentence
        if self.items[0].section is Section.GREETING:
            said = [item.section for item in self.items if item.section not in NEUTRAL]
            reading.is_joined = reading.is_joined or said == _JOINED
        if self.has_open and not self.is_deferral:
            self._ask_politely()

    def _read_items(self) -> None:
        reading = self.reading
        for position, item in enumerate(self.items):
            section = item.section
            if section in _SAYS_NOTHING and not self.absorbs:
                continue
            if section is Section.LEFT_OVER and self.previous is Section.LEFT_OVER and self._rambles():
                reading.left_over.append(item)
                continue
            role = self.role(item, position)
            if role is not Role.NEUTRAL:
                self._take(item, role)
            if reading.vetoes:
                return
            if section not in NEUTRAL:
                self.previous, self.previous_words = section, item.words

    def _rambles(self) -> bool:
        """One more word of no list after another changes nothing: most words are read here."""
        return self.has_open and self.absorbs == 0 and not self.is_deferral

    def _ask_politely(self) -> None:
        """A "please" beside words that no list explains asks for what they say."""
        please = next((item for item in self.items if item.section is Section.PLEASE), None)
        if please is not None:
            self.reading.vetoes.append(please)

    def _take(self, item: Item, role: Role) -> None:
        reading = self.reading
        if role is Role.EVIDENCE:
            if item not in reading.evidence:  # said twice counts once, and keeps hostile repeats cheap
                reading.evidence.append(item)
            reading.opens_with = reading.opens_with or item.section
            if item.section not in SOFT:
                reading.runs_on = self.has_open
            reading.is_polite = reading.is_polite or item.section in POLITE
        elif role is Role.VETO:
            reading.vetoes.append(item)
        elif role is Role.OPEN and self.is_deferral:
            reading.deferred.append(item)
            reading.puts_off = reading.puts_off or self.puts_off
        elif role is Role.OPEN:
            self.has_open = True
            reading.left_over.append(item)
            reading.evidence.clear()
            reading.runs_on = False

    def _asks_nothing(self) -> bool:
        """Leaves nothing to answer: "…, ok?" and "podemos encerrar?"."""
        tags = lexicon().sets[Section.TAG_QUESTION]
        return all(word in tags for word in self.clause.words) or all(
            item.section in COMMANDS or item.section in NEUTRAL for item in self.items
        )

    def _is_name(self) -> bool:
        """One word behind a comma: any after "tchau", a first name after "era só isso"."""
        reading, item = self.reading, self.items[0]
        if len(self.items) > 1 or item.section is not Section.LEFT_OVER:
            return False
        if reading.name is not None or not reading.evidence:
            return False
        before = reading.evidence[-1].section
        is_first_name = before in TAKES_A_NAME - DECLINES and item.words in lexicon().sets[Section.NAME]
        return before in TAKES_ANY_NAME or is_first_name

    def _is_signature(self) -> bool:
        """Words of no list right after "kind regards"."""
        reading = self.reading
        may_sign = reading.name is None and len(self.items) <= _LONGEST_SIGNATURE
        if may_sign and reading.evidence and reading.evidence[-1].section is Section.SIGN_OFF:
            reading.is_signed = all(item.section is Section.LEFT_OVER for item in self.items)
            return reading.is_signed
        return False
