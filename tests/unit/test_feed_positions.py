"""A place in the feed, also after the feed was numbered anew."""

from owner.models.event import FeedPosition

END = FeedPosition(800, 0)


def test_a_place_in_the_feed_stays_what_it_is() -> None:
    for place in (FeedPosition(0, 0), FeedPosition(799, 12), FeedPosition(800, 0)):
        assert place.seen_from(END) == place


def test_a_place_from_before_a_restore_goes_on_by_the_events_id() -> None:
    assert FeedPosition(9_000_000, 12).seen_from(END) == FeedPosition(1, 12)


def test_a_place_from_before_a_restore_that_no_event_had_is_the_end() -> None:
    assert FeedPosition(9_000_000, 0).seen_from(END) == END
