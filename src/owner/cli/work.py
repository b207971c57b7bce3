"""`owner work`: jobs and schedules."""

from owner import processes
from owner.cli.context import database, out


def work() -> None:
    """Send messages, fetch files, end what is due; run as many of these as you like."""
    with database(stay="hold") as settings:
        processes.run_work(settings, say=lambda: out.print("Owner works. Ctrl-C ends it."))
