"""Runs the product under kills and misfortunes and checks the books: `make chaos ARGS="--seconds 600 --seed 42"`."""

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from chaos.run import Plan, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of misfortune")
    parser.add_argument("--seed", type=int, help="by default another one each time")
    parser.add_argument("--webhooks", type=float, default=60, help="a second, as far as the machine goes")
    parser.add_argument("--sends", type=float, default=10, help="a second")
    parser.add_argument("--kill-every", type=float, default=4, help="seconds, on average")
    parser.add_argument("--strike-every", type=float, default=2, help="seconds: other misfortunes")
    parser.add_argument("--servers", type=int, default=2, help="each with two workers")
    parser.add_argument("--upgrade", action="store_true", help="to two later versions meanwhile")
    parser.add_argument(
        "--patience", type=float, default=180, help="seconds in which it may get no further in the end"
    )
    wanted = parser.parse_args()
    plan = Plan(
        seconds=wanted.seconds,
        seed=secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed,
        webhooks_per_second=wanted.webhooks,
        sends_per_second=wanted.sends,
        kill_every=wanted.kill_every,
        strike_every=wanted.strike_every,
        patience=wanted.patience,
        servers=wanted.servers,
        upgrades=wanted.upgrade,
    )
    sys.exit(0 if balances(plan, Console(highlight=False, soft_wrap=True)) else 1)


def balances(plan: Plan, out: Console) -> bool:
    """Run it. The folder with the logs stays, the database goes."""
    folder = Path(tempfile.mkdtemp(prefix="owner-chaos-"))
    # The embedded server's account enters it when this is run by root.
    folder.chmod(0o711)
    try:
        return uvloop.run(_until_asked_to_end(plan, folder, out))
    finally:
        shutil.rmtree(folder / "postgres-home", ignore_errors=True)
        out.print(f"logs and books are in {folder}")


async def _until_asked_to_end(plan: Plan, folder: Path, out: Console) -> bool:
    """A SIGTERM unwinds as Ctrl-C does, so that nothing is left running."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await run(plan, folder, out)


if __name__ == "__main__":
    main()
