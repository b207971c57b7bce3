"""An account that Twilio does not answer for is left alone, but for one call now and then."""

from owner.integrations.twilio.breaker import AccountBreakers

ACME, GLOBEX = 1, 2


class Watch:
    """Seconds, which a test can let pass."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def opened(watch: Watch) -> AccountBreakers:
    breakers = AccountBreakers(opens_after=3, first_rest=4, now=watch)
    assert [breakers.note_silence(ACME) for _ in range(3)] == [False, False, True]
    return breakers


def test_calls_go_out_until_three_in_a_row_got_no_answer() -> None:
    breakers = AccountBreakers(opens_after=3, now=Watch())

    told = [breakers.note_silence(ACME), breakers.note_silence(ACME)]
    breakers.note_answer(ACME)
    told += [breakers.note_silence(ACME), breakers.note_silence(ACME)]
    was_admitted = breakers.admits(ACME)
    told.append(breakers.note_silence(ACME))

    assert (was_admitted, breakers.admits(ACME)) == (True, False)
    assert told == [False, False, False, False, True]
    assert breakers.resting() == [ACME]


def test_another_account_is_not_concerned() -> None:
    breakers = opened(Watch())

    assert breakers.admits(GLOBEX)
    assert breakers.rest_of(GLOBEX) == 0


def test_after_the_rest_one_call_tries_and_its_answer_lets_all_go() -> None:
    watch = Watch()
    breakers = opened(watch)
    watch.seconds += 4

    tries = [breakers.admits(ACME) for _ in range(3)]
    breakers.note_answer(ACME)

    assert tries == [True, False, False]
    assert [breakers.admits(ACME) for _ in range(3)] == [True, True, True]


def test_each_trial_that_fails_doubles_the_rest_up_to_a_minute_and_is_no_news() -> None:
    watch = Watch()
    breakers = opened(watch)
    rests, news = [], []

    for _ in range(6):
        rests.append(breakers.rest_of(ACME))
        watch.seconds += breakers.rest_of(ACME)
        assert breakers.admits(ACME)
        news.append(breakers.note_silence(ACME))

    assert rests == [4, 8, 16, 32, 60, 60]
    assert news == [False] * 6


def test_calls_that_were_under_way_when_it_opened_do_not_prolong_the_rest() -> None:
    watch = Watch()
    breakers = opened(watch)

    assert [breakers.note_silence(ACME) for _ in range(20)] == [False] * 20
    assert breakers.rest_of(ACME) == 4


def test_a_trial_whose_worker_died_is_followed_by_another() -> None:
    watch = Watch()
    breakers = opened(watch)
    watch.seconds += 4

    first = breakers.admits(ACME)
    watch.seconds += 31

    assert (first, breakers.admits(ACME), breakers.admits(ACME)) == (True, True, False)
