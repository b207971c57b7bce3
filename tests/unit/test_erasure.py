"""What stays of an event once the person is erased."""

from owner.models.erasure import ERASED, without_words


def test_numbers_and_our_own_words_stay_and_every_other_text_goes() -> None:
    data = {
        "status_from": "PENDING",
        "reason": "Ana said so",
        "seq": 3,
        "after_closure": True,
        "nothing": None,
        "closure": {
            "confidence": 0.9,
            "decision": "close",
            "signals": [{"name": "goodbye", "weight": 1.0, "words": "tchau Ana"}],
            "words": ["tchau"],
        },
    }

    assert without_words(data) == {
        "status_from": "PENDING",
        "seq": 3,
        "after_closure": True,
        "nothing": None,
        "closure": {"confidence": 0.9, "decision": "close", "signals": [{"weight": 1.0}], "words": []},
    }


def test_why_a_conversation_ended_stays_where_the_erasure_ended_it() -> None:
    assert without_words({"reason": ERASED}) == {"reason": ERASED}
