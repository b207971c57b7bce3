"""The headings of the word lists, and which of them do the same for a conversation."""

from enum import StrEnum
from typing import Final


class Section(StrEnum):
    """The headings of the word lists, and four kinds of words that are in no list.

    A phrase that stands under two headings (often in two languages) is read under the upper one here:
    what keeps a conversation open comes before what closes it.
    """

    NEVER_CLOSES = "never closes"  # not in the lists: a phrase that this owner protects
    REGRET = "regrets"
    OTHER_MEANING = "other meanings"
    WAIT = "wait"
    BUT = "but"
    PROBLEM = "problems"
    NO = "no"
    NEGATION = "negation"
    QUESTION = "questions"
    PLEASE = "please"
    FILLER = "fillers"
    AFTER_DONE = "after that is all"
    ONLY_WANTED = "only wanted"
    REQUEST = "requests"
    IMPERATIVE = "imperatives"
    GIVES_UP = "gives up"
    THAT_IS_IT = "that is it"
    SAME_TO_YOU = "same to you"
    YES = "yes"
    ACKNOWLEDGEMENT = "acknowledgement"
    AFTER_THANKS = "after thanks"
    DEFERRAL = "deferral"
    PRAISE = "praise"
    BEFORE_PRAISE = "before praise"
    GREETING = "greetings"
    HELLO = "hello"
    THANKS_ANYWAY = "thanks all the same"
    THANKS = "thanks"
    SIGN_OFF = "signs a letter"
    UNTIL_DAY = "until a day"
    MEETING = "see you at"
    GOODBYE_OR_VERB = "goodbye or a verb"
    GOODBYE = "goodbye"
    GOOD_WISHES = "good wishes"
    DONE = "done"
    PLAN = "plans"
    SUCCESS = "reports success"
    CLOSE_NOW = "close now"
    OWN_KEYWORD = "own keyword"  # not in the lists: a closing phrase of this owner
    LEFT_OVER = "left over"  # a word of no list
    NUMBER = "number"  # a word with a digit: an amount, a date, a code
    PICTURE = "picture"  # an emoji of no list

    ASKS_WORDING = "agent: asks for words"
    WANTS_TO_KNOW = "agent: wants to know"
    WORKS_ON_IT = "agent: at work"
    ASKS_TO_CLOSE = "agent: may i close"
    ASKS_ITEMS = "agent: more items"
    FILLS_ORDER = "agent: fills an order"
    ASKS_MORE = "agent: anything else"
    ASKS_ALL = "agent: is that all"
    ASKS_OTHER = "agent: any other"
    ASKS_RESULT = "agent: asks how it went"
    SEARCHES_AGAIN = "agent: another search"
    SAYS_GOODBYE = "agent: goodbye"
    WISHES_WELL = "agent: good wishes"
    AT_YOUR_SERVICE = "agent: at your service"
    SETTLED = "agent: settled"
    ASKS_AGAIN = "agent: say it again"

    TURNED_ROUND = "negation turns round"
    FORGIVEN = "slips are forgiven in"
    NOT_A_TYPO = "not a typo"
    BETWEEN = "between"
    PLAIN_STATEMENT = "plain statements"
    NEED_WORD = "words of need"
    TIME_OR_NUMBER = "times and numbers"
    TAKES_A_TAIL = "what was needed follows"
    NAME = "names"
    TAG_QUESTION = "tag question"
    ORDER_WORD = "order words"
    CONVERSATION_WORD = "conversation words"
    OFFER_WORD = "words of an offer"
    INFORMATION_WORD = "words of information"
    TELLING_WORD = "words of telling"
    PROPOSAL_WORD = "words of a proposal"


AGENT_SECTIONS: Final = frozenset(section for section in Section if section.startswith("agent:"))
STRONG: Final = frozenset(  # the end in so many words
    {
        Section.CLOSE_NOW,
        Section.OWN_KEYWORD,
        Section.GOODBYE,
        Section.SIGN_OFF,
        Section.UNTIL_DAY,
        Section.MEETING,
        Section.GOOD_WISHES,
        Section.DONE,
    }
)
LEAVES: Final = STRONG - {Section.CLOSE_NOW, Section.OWN_KEYWORD}  # what people say who go
FAREWELL: Final = LEAVES - {Section.DONE} | {Section.GREETING}
DECLINES: Final = frozenset({Section.NO, Section.GIVES_UP})
AGREES: Final = frozenset(  # to "may I close?"
    {Section.YES, Section.ACKNOWLEDGEMENT, Section.PRAISE, Section.THAT_IS_IT}
)
COMMANDS: Final = frozenset({Section.CLOSE_NOW, Section.OWN_KEYWORD})
EVIDENCE: Final = STRONG | {
    Section.GOODBYE_OR_VERB,
    Section.GIVES_UP,
    Section.PLAN,
    Section.SUCCESS,
    Section.THAT_IS_IT,
    Section.SAME_TO_YOU,
    Section.THANKS_ANYWAY,
    Section.THANKS,
    Section.GREETING,
    Section.PRAISE,
    Section.ACKNOWLEDGEMENT,
    Section.YES,
    Section.NO,
}
POLITE: Final = frozenset({Section.THANKS, Section.THANKS_ANYWAY})
SOFT: Final = frozenset({Section.PRAISE, Section.ACKNOWLEDGEMENT, Section.YES, Section.NO})
NEUTRAL: Final = frozenset({Section.FILLER, Section.PLEASE, Section.PICTURE, Section.HELLO, Section.REGRET})
LOUD: Final = frozenset({Section.WAIT, Section.REQUEST, Section.PROBLEM, Section.NEVER_CLOSES})
CLOSES_KINDLY: Final = frozenset(
    {
        Section.THANKS_ANYWAY,
        Section.THANKS,
        Section.PRAISE,
        Section.GOODBYE,
        Section.SIGN_OFF,
        Section.UNTIL_DAY,
        Section.MEETING,
        Section.GOOD_WISHES,
        Section.ACKNOWLEDGEMENT,
    }
)
TAKES_A_NAME: Final = frozenset(
    {
        Section.THANKS_ANYWAY,
        Section.THANKS,
        Section.GOODBYE,
        Section.SIGN_OFF,
        Section.UNTIL_DAY,
        Section.GOOD_WISHES,
        Section.DONE,
        Section.SAME_TO_YOU,
        Section.NO,
    }
)
TAKES_ANY_NAME: Final = frozenset(  # also one that is in no list
    {Section.THANKS, Section.GOODBYE, Section.SIGN_OFF}
)
TAKES_A_TAIL: Final = frozenset({Section.DONE, Section.THAT_IS_IT, Section.AFTER_DONE})
ENDS_A_REASON: Final = LOUD | STRONG | {Section.THANKS, Section.BUT, Section.NUMBER}
ENDS_A_TAIL: Final = ENDS_A_REASON - {Section.REQUEST} | {Section.AFTER_DONE}
ENDS_A_NEGATION: Final = frozenset({Section.THANKS, Section.DONE})
PRECEDES_AN_ORDER: Final = EVIDENCE - {Section.NO, Section.DONE}
SAYS_MORE: Final = LOUD | {
    Section.NEGATION,
    Section.NUMBER,
    Section.QUESTION,
    Section.IMPERATIVE,
    Section.BUT,
}
NEGATED: Final = STRONG | {Section.THAT_IS_IT, Section.GIVES_UP}  # after "don't"
