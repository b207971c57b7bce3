"""`owner simulator`: Twilio's other side, for development without an account."""

from typing import Annotated

import typer
import uvicorn

from owner.cli.context import out
from owner.cli.serve import bound_socket
from owner.integrations.simulator import create_simulator


def simulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8001,
    callback_delay: Annotated[float, typer.Option(help="Seconds between status callbacks.", min=0)] = 0.3,
) -> None:
    """Run a simulated Twilio; point OWNER_TWILIO_API_URL at it."""
    listening = bound_socket(host, port)
    out.print(
        f"A simulated Twilio listens on http://{host}:{port}; a customer's phone is at http://{host}:{port}/simulator."
    )
    config = uvicorn.Config(
        create_simulator(callback_delay=callback_delay), log_config=None, access_log=False
    )
    uvicorn.Server(config).run(sockets=[listening])
