"""`owner demo`: everything on this machine, and one conversation played through it."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

import aiohttp
import typer
import uvloop

from owner import bootstrap, processes
from owner.cli.context import database, out
from owner.cli.demo_play import TEMPLATE, Cast, StepFailed, leave_something_open, play
from owner.cli.local_server import listen, serving, url_of
from owner.inbox.app import create_site
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.models.enums import ActorKind
from owner.models.event import Actor
from owner.models.owner import OwnerCreate
from owner.models.principal import Principal
from owner.models.twilio_account import TwilioAccountCreate
from owner.models.user import UserUpdate
from owner.services.catalog import Services
from owner.settings import Settings, get_settings
from owner.worker.runner import run_worker

WHATSAPP: Final = "whatsapp:+551150284400"
SMS: Final = "+551150284400"
EMAIL: Final = "atendente@padaria.example"
TEMPLATES: Final = {
    TEMPLATE: {
        "name": "pedido_pronto",
        "body": "Oi, {{1}}! Seu pedido {{2}} está pronto. Você retira hoje?",
        "buttons": [{"payload": "yes", "text": "Sim, hoje"}, {"payload": "no", "text": "Amanhã"}],
    }
}


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """The bakery of the demo; kept in the data folder, so that the next start finds it again."""

    owner_id: int
    api_key: str = field(repr=False)
    email: str
    password: str = field(repr=False)
    account_sid: str
    auth_token: str = field(repr=False)
    inbound_path: str


def demo(
    *,
    stop_after: Annotated[
        bool, typer.Option("--exit", help="Stop after the play: 0 if all of it was seen, else 1.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port of the API, or the next free one.", min=1, max=65000)
    ] = 8000,
) -> None:
    """Start database, API, worker and a simulated Twilio; play a conversation; stay up."""
    os.environ.setdefault("OWNER_LOG_LEVEL", "ERROR")  # the play speaks for itself
    # Never into a database that somebody named: a play has no business among real conversations.
    embedded = get_settings().model_copy(update={"database_url": None, "admin_database_url": None})
    with (
        database(stay="hold", settings=embedded) as settings,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        is_well = runner.run(_run(settings, port=port, stop_after=stop_after))
    if not is_well:
        raise typer.Exit(1)


async def _run(settings: Settings, *, port: int, stop_after: bool) -> bool:
    stop = processes.stop_on_signal()
    async with _stage(settings, port=port, stop=stop) as (tenant, cast):
        try:
            await play(cast)
            if not stop_after:
                await leave_something_open(cast)
        except StepFailed as failure:
            out.print(f"\n[bold red]✗ {failure}[/bold red]")
            return False
        out.print("\n[bold green]✓ Every step was seen in the database.[/bold green]")
        if not stop_after:
            _show_the_way(tenant, cast, settings)
            await stop.wait()
            out.print("\nStopping …")
        return True


@asynccontextmanager
async def _stage(
    settings: Settings, *, port: int, stop: asyncio.Event
) -> AsyncIterator[tuple[DemoTenant, Cast]]:
    """API, worker and simulator, each over real HTTP, with the demo's tenant connected."""
    api_socket = listen(port)
    simulator_socket = listen(api_socket.getsockname()[1] + 1)
    settings = settings.model_copy(
        update={"public_url": url_of(api_socket), "twilio_api_url": url_of(simulator_socket)}
    )
    async with (
        bootstrap.open_services(settings, is_lasting=True) as services,
        serving(create_simulator(), simulator_socket),
        serving(create_site(lambda: bootstrap.open_services(settings, is_lasting=True)), api_socket),
        aiohttp.ClientSession() as session,
    ):
        worker = asyncio.create_task(run_worker(services, stop=stop))
        tenant = await _find_or_make_tenant(services, settings.home / "demo.json")
        simulator = SimulatorClient(url_of(simulator_socket), session)
        inbound_url = services.public_url + tenant.inbound_path
        await simulator.register_account(
            tenant.account_sid,
            tenant.auth_token,
            numbers=[WHATSAPP, SMS],
            inbound_url=inbound_url,
            templates=TEMPLATES,
        )
        cast = Cast(
            services,
            session,
            simulator,
            tenant.owner_id,
            tenant.api_key,
            tenant.account_sid,
            inbound_url,
            WHATSAPP,
            SMS,
        )
        try:
            yield tenant, cast
        finally:
            stop.set()
            await worker


async def _find_or_make_tenant(services: Services, path: Path) -> DemoTenant:
    known = _read_tenant(path)
    if known is not None:
        return known
    password = secrets.token_urlsafe(9)
    made = await services.tenants.create(OwnerCreate(name="Padaria Central", email=EMAIL, password=password))
    me = Principal(made.owner_id, Actor(ActorKind.USER, made.user_id), frozenset())
    await services.users.update(me, made.user_id, UserUpdate(name="Marina"))
    account_sid, auth_token = f"AC{secrets.token_hex(16)}", secrets.token_hex(16)
    account = await services.twilio.connect(
        made.owner_id,
        TwilioAccountCreate(account_sid=account_sid, auth_token=auth_token, phone_numbers=[WHATSAPP, SMS]),
    )
    inbound_path = services.twilio.inbound_url(account).removeprefix(services.public_url)
    tenant = DemoTenant(made.owner_id, made.api_key, EMAIL, password, account_sid, auth_token, inbound_path)
    _keep_tenant(path, tenant)
    return tenant


def _read_tenant(path: Path) -> DemoTenant | None:
    known = json.loads(path.read_text()) if path.exists() else {}
    # Before there was an inbox nobody could sign in, and no password was kept: such a bakery is left alone.
    return DemoTenant(**known) if "password" in known else None


def _keep_tenant(path: Path, tenant: DemoTenant) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(tenant), file)


def _show_the_way(tenant: DemoTenant, cast: Cast, settings: Settings) -> None:
    """What to try next: two pages to open side by side, and commands ready to paste."""
    api, simulator = cast.services.public_url, cast.simulator.base_url
    phone = urlencode({"number": cast.carla, "to": WHATSAPP, "name": "Carla"})
    home = "" if "OWNER_HOME" not in os.environ else f"OWNER_HOME={settings.home} "
    out.print(f"""
[bold]Open these two side by side:[/bold] write on the phone, answer in the inbox.

  Carla's phone  {simulator}/simulator?{phone}
  The inbox      {api}/inbox
                 sign in as {tenant.email} with the password {tenant.password}

[bold]It keeps running.[/bold] Ctrl-C ends it; the next start finds this data again ({settings.home}).

  The REST API   {api}/docs
  Health         {api}/health
  Twilio         {simulator}/simulator/messages  (simulated)

[bold]List the conversations[/bold]
  curl -s -H 'Authorization: Bearer {cast.api_key}' {api}/v1/conversations

[bold]Write as a customer[/bold]
  curl -s {simulator}/simulator/phones/whatsapp:+5511912345678/messages \\
    -H 'Content-Type: application/json' -d '{{"to": "{WHATSAPP}", "body": "Oi, vocês abrem amanhã?"}}'

[bold]Look into the database[/bold] (only this owner's rows, whatever you select)
  {home}.venv/bin/owner db shell --owner {cast.owner_id} -c 'TABLE conversations'
""")
