"""The API does what its description says, whatever it is sent: schemathesis calls a server that has just started."""

import asyncio
import os
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from e2e.stage import Stage
from factories import Tenant

SETTINGS = Path(__file__).with_name("contract.toml")
HOOKS = Path(__file__).with_name("contract_hooks.py")
ENVIRONMENT = {
    **os.environ,
    "SCHEMATHESIS_HOOKS": HOOKS.stem,
    "PYTHONPATH": str(HOOKS.parent),
    "PYTHONHASHSEED": "1",  # a seed repeats a run only where sets have the same order too
}
EXAMPLES = 8  # for each route, besides the fixed ones for each boundary of each field


@pytest.mark.timeout(600)
async def test_the_api_keeps_its_contract(stage: Stage, tmp_path: Path) -> None:
    await stage.serve()
    tenant = await stage.tenant()
    [key_id] = [str(key["api_key_id"]) for key in (await stage.get(tenant, "/v1/api-keys"))["items"]]

    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(SETTINGS)),
        "run",
        f"{stage.url}/openapi.json",
        *("--header", f"Authorization: Bearer {tenant.api_key}"),
        *("--exclude-path", "/v1/events/stream"),  # an answer that never ends is tested by itself
        *("--mode", "all", "--max-examples", str(EXAMPLES), "--seed", "1"),
        *("--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"),
        env={**ENVIRONMENT, "CONTRACT_KEY_ID": key_id},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-20_000:]
    while (status := await _asked(stage, tenant)) == HTTPStatus.TOO_MANY_REQUESTS:  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(1.0)  # so many calls have used up the key's allowance, which comes back
    assert status == HTTPStatus.OK, "whoever lost their key on the way has tested nothing but that"


async def _asked(stage: Stage, tenant: Tenant) -> int:
    status, _ = await stage.ask(tenant, "GET", f"/v1/owners/{tenant.owner_id}")
    return int(status)
