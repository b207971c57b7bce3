"""The languages that people are spoken to in, and who turns English sentences into them."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined

LOCALES: Final = {"pt": Locale("pt", "BR"), "en": Locale("en"), "es": Locale("es")}
"""English is what sentences are written in; a folder's `wording/<language>.po` has the others."""
TAGS: Final = {"pt": "pt-BR", "en": "en", "es": "es"}  # as HTML's `lang` has them


def choose_language(wanted: str | None, accepted: str, *, otherwise: str = "en") -> str:
    """The language that somebody chose, else the first of their browser's that there is."""
    if wanted in LOCALES:
        return wanted
    preferred = [part.partition(";")[0].strip() for part in accepted.split(",")]
    primary = [name.partition("-")[0].lower() for name in preferred]
    return negotiate_locale(primary, list(LOCALES)) or otherwise


@cache
def translations(folder: Path, language: str) -> NullTranslations:
    """What turns the English of a folder's templates and modules into a language."""
    path = folder / "wording" / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalog = read_po(file)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def templates_in(folder: Path, language: str) -> Environment:
    """A folder's templates in one language; they escape everything."""
    environment = Environment(
        loader=FileSystemLoader(folder / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words: Any = translations(folder, language)
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    return environment


def later(sentence: str) -> str:
    """A sentence of a table, which is translated where it is shown."""
    return sentence
