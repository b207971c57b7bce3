"""What a customer's message says, taken apart."""

from collections.abc import Container
from dataclasses import dataclass, field

from owner.models.closure_phrases import Item
from owner.models.closure_sections import Section


@dataclass(slots=True)
class Reading:
    """A message taken apart."""

    evidence: list[Item] = field(default_factory=list)  # speaks for the end, with nothing open after it
    vetoes: list[Item] = field(default_factory=list)  # keep it open, whatever else is said
    left_over: list[Item] = field(default_factory=list)  # what no list explains
    deferred: list[Item] = field(default_factory=list)  # left over too, but put off: "I'll book it later"
    puts_off: bool = False  # something is left for later, or to be done alone
    turned_round: list[Item] = field(default_factory=list)  # "não é só isso": or is it "não, é só isso"?
    says_what_for: bool = False  # "that's all I need", not only "that's all"
    looks_back: Item | None = None  # "I just needed …": no request where a goodbye follows
    name: Item | None = None  # a word after thanks or goodbye that is read as somebody's name
    sentence: int | None = None  # the number of the one that was read last
    opens_with: Section | None = None  # the first evidence, even if left-over words followed
    is_polite: bool = False  # thanks somewhere
    runs_on: bool = False  # evidence follows left-over words with no mark between them
    is_signed: bool = False  # the name stands below a letter: nobody else is called that
    says_hello: bool = False
    regrets: bool = False  # "what a pity"
    is_joined: bool = False  # a greeting and thanks in one breath: "boa noite e obrigado"

    def find(self, sections: Container[Section]) -> Item | None:
        """The first evidence under one of these headings."""
        for item in self.evidence:  # twice as quick as next() with a generator, and asked for all the time
            if item.section in sections:
                return item
        return None

    @property
    def is_explained(self) -> bool:
        """Every word stands in a list, and nothing keeps the conversation open."""
        return not (self.left_over or self.deferred or self.vetoes)
