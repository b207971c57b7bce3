import pytest

from owner.models.closure_language import language_of


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["Oi, cadê meu pedido?", "obrigado"], "pt"),
        (["Where is my order?", "thanks, that's all"], "en"),
        (["Hola, ¿dónde está mi pedido?", "gracias"], "es"),
        (["VLW"], "pt"),
        (["thx"], "en"),
        (["grax"], "es"),
    ],
)
def test_the_words_of_a_customer_tell_the_language(texts: list[str], language: str) -> None:
    assert language_of(texts) == language


@pytest.mark.parametrize("texts", [[], [""], ["ok"], ["👍"], ["12345"], ["Привет"], ["thanks, obrigado"]])
def test_where_nothing_tells_or_two_are_even_there_is_none(texts: list[str]) -> None:
    assert language_of(texts) is None


def test_most_words_win_where_languages_are_mixed() -> None:
    assert language_of(["thanks, mas ainda não chegou o meu pedido"]) == "pt"
