"""What forbids to close, whatever else is said, and what needs no weighing."""

from owner.models.closure_case import FULL, SHOWN_AT_MOST, Case, ClosureSignal
from owner.models.closure_phrases import Item, lexicon
from owner.models.closure_reading import Reading
from owner.models.closure_sections import COMMANDS, DECLINES, FAREWELL, STRONG, Section


def veto(case: Case) -> ClosureSignal | None:
    """What forbids to close, if anything does."""
    reading, agent = case.reading, case.agent
    if reading.vetoes:
        item = reading.vetoes[0]
        return ClosureSignal(item.section.value, -FULL, item.words)
    if reading.turned_round:
        turned = reading.turned_round[0]
        if turned.section is Section.THAT_IS_IT or not agent.did(Section.ASKS_MORE, Section.AT_YOUR_SERVICE):
            return ClosureSignal("negation", -FULL, turned.words)
    if case.context.get("can_close") is False:
        return ClosureSignal("may not close", -FULL, "can_close")
    return _answer_veto(case) or _subject_veto(case)


def _answer_veto(case: Case) -> ClosureSignal | None:
    """The customer answers "no" to "may I close?", or "yes" to "anything else?"."""
    reading, agent = case.reading, case.agent
    if reading.find(STRONG):
        return None
    no, yes = reading.find(DECLINES), reading.find({Section.YES})
    if no and agent.did(Section.ASKS_TO_CLOSE, Section.ASKS_ALL) and not agent.did(Section.ASKS_MORE):
        return ClosureSignal("wants to go on", -FULL, no.words)
    offers = agent.did(Section.ASKS_MORE, Section.ASKS_OTHER)
    if yes and offers and not agent.did(Section.ASKS_ALL, Section.ASKS_TO_CLOSE):
        return ClosureSignal("wants to go on", -FULL, yes.words)
    return None


def _subject_veto(case: Case) -> ClosureSignal | None:
    """It is about something else: "finalizar" to a menu that closes orders, "só isso" to "mais algum item?"."""
    reading, agent = case.reading, case.agent
    if agent.did(Section.ASKS_ITEMS, Section.WANTS_TO_KNOW) and not agent.did(Section.ASKS_TO_CLOSE):
        listed = reading.find(DECLINES | {Section.DONE, Section.THAT_IS_IT})
        has_enough = agent.offers_information and reading.is_polite and reading.find({Section.DONE})
        if listed and not reading.find(FAREWELL) and not has_enough:
            return ClosureSignal("ends the list", -FULL, listed.words)
    command = reading.find({Section.CLOSE_NOW, Section.GOODBYE_OR_VERB})
    if command and agent.closes_other and not agent.did(Section.ASKS_TO_CLOSE) and not names_it(command):
        return ClosureSignal("other meanings", -FULL, command.words)
    return None


def other_meanings(reading: Reading) -> list[ClosureSignal]:
    """Closing words that mean something else here, for the explanation: "encerrar minha conta"."""
    found = [item for item in reading.left_over if item.section is Section.OTHER_MEANING]
    return [ClosureSignal(item.section.value, -FULL, item.words) for item in found[:SHOWN_AT_MOST]]


def names_it(command: Item) -> bool:
    """The command says what is to be closed: "encerrar o atendimento"."""
    return not lexicon().sets[Section.CONVERSATION_WORD].isdisjoint(command.words.split())


def is_explicit(case: Case) -> bool:
    """The whole message asks for the end, and nothing else."""
    command = case.reading.find(COMMANDS)
    return command is not None and not command.is_corrected and case.reading.is_explained
