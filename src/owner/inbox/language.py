"""The page's words, dates and numbers in the language of who looks at it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    format_timedelta,
    get_datetime_format,
)
from babel.numbers import format_decimal, format_percent

from owner.integrations.twilio import errors
from owner.models.enums import Channel
from owner.wording import LOCALES, TAGS, translations

FOLDER: Final = Path(__file__).parent

MEGABYTE: Final = 1_000_000
CHANNEL_NAMES: Final = {Channel.WHATSAPP: "WhatsApp", Channel.MESSENGER: "Messenger"}


def channel_name(channel: Channel) -> str:
    """As its maker writes it, in every language."""
    return CHANNEL_NAMES.get(channel, channel)


@dataclass(frozen=True, slots=True)
class Voice:
    """One language and one time zone: how everything is said to one person."""

    language: str
    time_zone: ZoneInfo

    @property
    def locale(self) -> Locale:
        return LOCALES[self.language]

    @property
    def tag(self) -> str:
        return TAGS[self.language]

    def say(self, message: str, **values: object) -> str:
        """A sentence of the templates' English, with its `%(name)s` filled in."""
        text = translations(FOLDER, self.language).gettext(message)
        return text % values if values else text

    def reason(self, sentence: str, error_code: int | None = None) -> str:
        """Why the provider did not do something: a sentence of its table, or one of its own as it is."""
        if sentence != errors.explain(error_code) or errors.is_known(error_code or 0):
            return translations(errors.FOLDER, self.language).gettext(sentence) if sentence else ""
        if error_code is None:
            return self.say("The message was not delivered.")
        return self.say("The message was not delivered (error %(code)s).", code=error_code)

    def day(self, moment: datetime) -> str:
        return format_date(moment.astimezone(self.time_zone), format="full", locale=self.locale)

    def time(self, moment: datetime) -> str:
        return format_time(moment.astimezone(self.time_zone), format="short", locale=self.locale)

    def minute(self, moment: datetime, now: datetime | None = None) -> str:
        """With the month as a word: readers of English disagree about which figure is the day."""
        day = self._day_seen_from(moment, now) if now else self.short_day(self._date(moment))
        both = str(get_datetime_format("medium", locale=self.locale))
        return both.replace("{0}", self.time(moment)).replace("{1}", day)

    def time_or_day(self, moment: datetime, now: datetime) -> str:
        """The time of what was today, the day of what was before."""
        is_today = self._date(moment) == self._date(now)
        return self.time(moment) if is_today else self._day_seen_from(moment, now)

    def moment(self, moment: datetime) -> str:
        return format_datetime(moment, format="medium", tzinfo=self.time_zone, locale=self.locale)

    def since(self, moment: datetime, now: datetime) -> str:
        """How long ago, in a word or two."""
        return format_timedelta(now - moment, threshold=1, format="short", locale=self.locale)

    def language_name(self, tag: str) -> str:
        """A language as people call it; the tag itself where it is none that we know."""
        try:
            return Locale.parse(tag.replace("-", "_")).get_display_name(self.locale) or tag
        except (ValueError, UnknownLocaleError):
            return tag

    def short_day(self, day: date) -> str:
        return format_date(day, format="medium", locale=self.locale)

    def _day_seen_from(self, moment: datetime, now: datetime) -> str:
        """With its year where it is another one."""
        day = self._date(moment)
        is_this_year = day.year == self._date(now).year
        return format_skeleton("MMMd" if is_this_year else "yMMMd", day, locale=self.locale)

    def _date(self, moment: datetime) -> date:
        return moment.astimezone(self.time_zone).date()

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.locale)

    def size(self, octets: int) -> str:
        """Of a file."""
        if octets < MEGABYTE:
            return f"{self.number(max(1, octets // 1000))} kB"
        return f"{self.number(round(octets / MEGABYTE, 1))} MB"

    def percent(self, share: float) -> str:
        return format_percent(share, locale=self.locale)

    def span(self, seconds: float | None) -> str:
        """How long something took; a dash where it never happened."""
        if seconds is None:
            return "-"
        return format_timedelta(timedelta(seconds=seconds), threshold=1.5, format="short", locale=self.locale)
