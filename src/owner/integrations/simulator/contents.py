"""The Content API: templates of an account, and what WhatsApp said about each."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator.context import caller_of, not_found, whole, world_of
from owner.integrations.simulator.store import Account, Template
from owner.integrations.simulator.writing import Button

LARGEST_PAGE: Final = 1_000


def _stock(name: str, language: str, body: str, **more: Any) -> tuple[str, Template]:
    return f"HX{uuid5(NAMESPACE_URL, f'{name}:{language}').hex}", Template(body, name, language, **more)


def _cake(name: str, word: str) -> dict[str, Any]:
    address = f"https://example.com/bolos/{word}"
    return {
        "title": name,
        "body": "Inteiro ou em fatias.",
        "media": f"{address}.jpg",
        "actions": [
            {"type": "QUICK_REPLY", "title": "Quero este", "id": f"quero_{word}"},
            {"type": "URL", "title": "Ver a receita", "url": address},
        ],
    }


STOCK: Final = dict(
    (
        _stock(
            "pedido_a_caminho",
            "pt_BR",
            "Oi, {{1}}! Seu pedido {{2}} saiu para entrega.",
            examples={"1": "Ana", "2": "4711"},
        ),
        _stock(
            "retomar_conversa",
            "pt_BR",
            "Olá, {{1}}! Podemos continuar a nossa conversa?",
            examples={"1": "Ana"},
            buttons=(Button(payload="sim", text="Sim"), Button(payload="depois", text="Mais tarde")),
        ),
        _stock(
            "appointment_reminder",
            "en",
            "Hello {{name}}, we expect you on {{day}} at {{hour}}.",
            examples={"name": "Ana", "day": "Monday", "hour": "9:30"},
        ),
        _stock("pedido_listo", "es", "Hola, {{1}}: su pedido ya está listo.", examples={"1": "Ana"}),
        _stock(
            "acompanhar_entrega",
            "pt_BR",
            "Seu pedido {{1}} está a caminho, {{2}}.",
            examples={"1": "4711", "2": "Ana"},
            kind="twilio/call-to-action",
            more={
                "actions": [
                    {"type": "URL", "title": "Acompanhar", "url": "https://example.com/pedidos/{{1}}"},
                    {"type": "PHONE_NUMBER", "title": "Ligar para nós", "phone": "+551150284400"},
                ]
            },
        ),
        _stock(
            "escolha_um_horario",
            "pt_BR",
            "Quando podemos entregar, {{1}}?",
            examples={"1": "Ana"},
            kind="twilio/list-picker",
            more={
                "button": "Ver horários",
                "items": [
                    {"id": "manha", "item": "De manhã", "description": "das 8h às 12h"},
                    {"id": "tarde", "item": "À tarde", "description": "das 13h às 18h"},
                ],
            },
        ),
        _stock(
            "bolos_da_semana",
            "pt_BR",
            "Os bolos desta semana, {{1}}:",
            examples={"1": "Ana"},
            category="MARKETING",
            kind="twilio/carousel",
            more={"cards": [_cake("Cenoura", "cenoura"), _cake("Fubá", "fuba"), _cake("Laranja", "laranja")]},
        ),
        _stock("promocao_de_verao", "pt_BR", "Só hoje: {{1}} com desconto!", status="pending"),
        _stock(
            "free_money",
            "en",
            "You have won! Answer now.",
            status="rejected",
            rejection_reason="The template breaks the policy.",
        ),
    )
)
"""What every account has besides what it was registered with."""


def templates_of(account: Account) -> dict[str, Template]:
    return {**STOCK, **account.templates}


async def list_contents(request: Request) -> Response:
    """Both lists: with the approvals and without."""
    account = caller_of(request)
    await world_of(request).faults.slow_down("", account.sid)
    path, key = request.url.path, "contents"
    size = min(whole(request.query_params, "PageSize", 50) or 50, LARGEST_PAGE)
    page = whole(request.query_params, "Page", 0)
    known = list(templates_of(account).items())
    shown = known[page * size : (page + 1) * size]
    base = world_of(request).base_url(request)

    def address(number: int) -> str:
        return f"{base}{path}?{urlencode({'PageSize': size, 'Page': number})}"

    has_approvals = path.endswith("ContentAndApprovals")
    return JSONResponse(
        {
            "meta": {
                "page": page,
                "page_size": size,
                "first_page_url": address(0),
                "previous_page_url": address(page - 1) if page else None,
                "url": address(page),
                "next_page_url": address(page + 1) if len(known) > (page + 1) * size else None,
                "key": key,
            },
            key: [_resource(sid, one, account, base, has_approvals=has_approvals) for sid, one in shown],
        }
    )


async def fetch_content(request: Request) -> Response:
    account, sid = caller_of(request), request.path_params["content_sid"]
    template = templates_of(account).get(sid)
    if template is None:
        raise not_found(request)
    base = world_of(request).base_url(request)
    return JSONResponse(_resource(sid, template, account, base, has_approvals=False))


def _resource(
    sid: str, template: Template, account: Account, base: str, *, has_approvals: bool
) -> dict[str, Any]:
    created_at = account.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    resource = {
        "account_sid": account.sid,
        "date_created": created_at,
        "date_updated": created_at,
        "friendly_name": template.name or sid,
        "language": template.language,
        "sid": sid,
        "types": {template.content_type: template.content},
        "variables": dict(template.examples),
    }
    if has_approvals:
        approval = {
            "allow_category_change": True,
            "category": template.category,
            "content_type": template.content_type,
            "name": template.name or sid,
            "rejection_reason": template.rejection_reason,
            "status": template.status,
        }
        return {**resource, "approval_requests": approval}
    url = f"{base}/v1/Content/{sid}"
    links = {
        "approval_create": f"{url}/ApprovalRequests/whatsapp",
        "approval_fetch": f"{url}/ApprovalRequests",
    }
    return {**resource, "links": links, "url": url}
