"""The yardstick of `jobs.py`: Celery with a job that does nothing, on the Redis that `JOBS_REDIS_URL` names.

Runs in an environment of its own, which `make bench-jobs` installs; the product does not know Celery.
"""

import os
import sys

from celery import Celery  # type: ignore[import-not-found]  # not of the product

app = Celery("jobs", broker=os.environ["JOBS_REDIS_URL"])
app.conf.task_ignore_result = True


@app.task  # type: ignore[untyped-decorator]
def noop(**_ids: int) -> None:
    """What a job costs by itself."""


def main() -> None:
    """Queue so many."""
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(int(sys.argv[1])):
            noop.apply_async(kwargs={"owner_id": 1, "conv_id": number}, producer=producer)


if __name__ == "__main__":
    main()
