"""`owner twilio`: connect Twilio accounts."""

from typing import Annotated

import typer

from owner.cli.context import answer, read_input, warn_of_local_urls, with_services
from owner.models.entity import LARGEST_ID
from owner.models.twilio_account import TwilioAccount, TwilioAccountCreate
from owner.services.catalog import Services

app = typer.Typer(no_args_is_help=True)


@app.callback()
def accounts() -> None:
    """Connect Twilio accounts."""


@app.command()
def connect(
    *,
    owner: Annotated[int, typer.Option(help="The tenant's id.", min=1, max=LARGEST_ID)],
    account_sid: Annotated[str, typer.Option(help="AC…")],
    auth_token: Annotated[str, typer.Option(help="The account's auth token: it signs webhooks.")],
    number: Annotated[list[str], typer.Option(help="+… or whatsapp:+…; give it once for each.")],
    messaging_service_sid: Annotated[str | None, typer.Option(help="MG…")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Ask Twilio whether the credentials are right.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Store an account, and print the URLs to enter in Twilio's console."""
    wanted = read_input(
        TwilioAccountCreate,
        account_sid=account_sid,
        auth_token=auth_token,
        phone_numbers=number,
        messaging_service_sid=messaging_service_sid,
    )

    async def use(services: Services) -> tuple[TwilioAccount, str, str]:
        if verify:
            await services.twilio.verify(wanted)
        account = await services.twilio.connect(owner, wanted)
        return account, services.twilio.inbound_url(account), services.twilio.status_url(account)

    account, inbound_url, status_url = with_services(use)
    answer(
        {
            "twilio_account_id": account.twilio_account_id,
            "inbound_url": inbound_url,
            "status_url": status_url,
        },
        as_json=as_json,
    )
    warn_of_local_urls()
