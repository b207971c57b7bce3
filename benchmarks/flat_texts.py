"""What the customers and agents of generated conversations are called, and what they say."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from owner.models.search_words import fold

EACH = 200  # texts of a kind
SELDOM = "Vou reclamar na ouvidoria"  # in one message of a thousand
_THINGS = (
    "o celular Aurora",
    "a geladeira Polar",
    "o fogão Brasa",
    "a máquina de lavar Maré",
    "o sofá retrátil",
    "a mesa de jantar",
    "o tênis de corrida",
    "a jaqueta impermeável",
    "o perfume importado",
    "a cafeteira italiana",
    "o notebook de 16 polegadas",
    "la bicicleta urbana",
    "the wireless headphones",
    "o colchão de molas",
    "a passagem para Salvador",
    "o plano de internet",
    "a segunda via do boleto",
    "o cartão de crédito",
    "a consulta com a dermatologista",
    "el vuelo a Buenos Aires",
)
_OPENINGS = (
    "Oi, bom dia! Comprei {} na semana passada e ainda não chegou",
    "Boa tarde, queria saber quando chega {}",
    "Olá, {} veio com defeito, como faço a troca?",
    "Oi! Tem {} disponível na loja de Pinheiros?",
    "Buenas, necesito ayuda con {}",
    "Hello, I have a question about {}",
    "Preciso cancelar {} e receber o dinheiro de volta",
    "Vocês parcelam {} em quantas vezes?",
    "Quanto custa o frete de {} para Curitiba?",
    "Bom dia, podem me mandar a nota fiscal? Foi {}",
)
_REPLIES = (
    "O número está no e-mail que recebi sobre {}",
    "Já tentei isso com {} e não funcionou",
    "Pode ser na quinta-feira depois das três? É sobre {}",
    "Meu endereço é Rua das Laranjeiras 210, apartamento 34, e {} tem que entrar pela garagem",
    "Isso mesmo, {}",
    "Prefiro retirar na loja, {} é para presente",
    "Y el reembolso de {}, ¿cuánto tarda?",
    "Yes please, {} as soon as possible",
    "Ficou combinado com a Renata que {} seria entregue ontem",
    "Ainda estou esperando uma posição sobre {}",
)
_ANSWERS = (
    "Olá! Vou verificar {} para você, só um momento",
    "Localizei aqui: {} saiu do centro de distribuição hoje cedo",
    "Para {} o prazo é de cinco dias úteis",
    "Lamentamos o transtorno com {}; já abri uma solicitação de troca",
    "Você pode acompanhar {} pelo aplicativo, na aba de compras",
    "Claro, {} pode ser parcelado em até dez vezes sem juros",
    "Confirmo o agendamento: {}, na sexta-feira às 14h",
    "Gracias por escribir, estamos revisando {}",
    "Thanks for waiting, {} will be shipped tomorrow",
    "Encaminhei o caso de {} para o setor responsável",
)
_GOODBYES = ("pode encerrar, obrigado", "Encerrar", "pode fechar o atendimento", "Era só isso, pode encerrar")
_FIRST_NAMES = [
    "Ana",
    "Bruno",
    "Camila",
    "Débora",
    "Eduardo",
    "Fátima",
    "Gustavo",
    "Helena",
    "Inês",
    "João",
    "Kátia",
    "Lúcia",
    "Márcio",
    "Núbia",
    "Otávio",
    "Patrícia",
    "Raí",
    "Sônia",
    "Tomás",
    "Valéria",
]
_MIDDLE_NAMES = [
    "Alves",
    "Barbosa",
    "Cardoso",
    "Dias",
    "Esteves",
    "Farias",
    "Gonçalves",
    "Henriques",
    "Ibáñez",
    "Jardim",
]
_LAST_NAMES = [
    "Lima",
    "Machado",
    "Nogueira",
    "Oliveira",
    "Pacheco",
    "Queiroz",
    "Ramos",
    "Santos",
    "Teixeira",
    "Uchôa",
    "Vasconcelos",
    "Xavier",
    "Zanetti",
    "Araújo",
    "Brandão",
    "Corrêa",
    "Duarte",
    "Freitas",
    "Guimarães",
    "Leão",
    "Moraes",
    "Novaes",
    "Prado",
    "Ribeiro",
    "Silveira",
]


class Person(NamedTuple):
    """A name, as it is shown and as it is found."""

    name: str
    key: str
    words: list[str]


def texts() -> list[str]:
    """By kind: how a customer begins, goes on, how we answer, how a customer says goodbye; `EACH` of a kind."""
    kinds = (_OPENINGS, _REPLIES, _ANSWERS)
    said = [frame.format(thing) for frames in kinds for frame, thing in product(frames, _THINGS)]
    return [*said, *(_GOODBYES[number % len(_GOODBYES)] for number in range(EACH))]


def people() -> Iterator[Person]:
    """Five thousand."""
    for parts in product(_FIRST_NAMES, _MIDDLE_NAMES, _LAST_NAMES):
        name = " ".join(parts)
        yield Person(name, fold(name), [fold(part) for part in parts])
