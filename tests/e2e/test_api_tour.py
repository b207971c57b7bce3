"""The tour in docs/api.md works: every command in it is run, as it is written."""

import asyncio
import os
import re
from pathlib import Path

from e2e.stage import Stage
from owner.client import OwnerClient

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


async def test_every_command_of_the_tour_does_what_it_says(stage: Stage, tmp_path: Path) -> None:
    await stage.serve()
    tenant = await stage.tenant()
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)

    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-u", "-o", "pipefail", "-c", "".join(blocks)),
        env={**os.environ, "API": stage.url, "KEY": tenant.api_key},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    assert len(blocks) > 12
    assert '"code":"conversation_not_found"' in output.decode()
    async with OwnerClient(stage.url, tenant.api_key) as owner:
        [conversation] = [one async for one in owner.conversations.list()]
        said = [
            message.content async for message in owner.conversations.messages(conversation.conv_id).list()
        ]
    assert (conversation.status, conversation.closed_reason) == ("AGENT_CLOSED", "delivered")
    assert said == [
        "Olá, Carla! Seu pedido 1042 saiu para entrega.",
        "Chega até as 15h.",
        "Obrigado, Carla! Até logo.",
    ]


async def test_the_client_hears_what_happens_and_goes_on_where_it_stopped(stage: Stage) -> None:
    if not stage.programs:
        await stage.serve()
    tenant = await stage.tenant("globex")
    async with OwnerClient(stage.url, tenant.api_key) as owner:
        conversation = await owner.conversations.create(channel="SMS", customer_address="+5511912345678")
        first = [event async for event in owner.events.list(type="conversation.opened")]

        async def hear(last_event_id: str | None, wanted: str) -> str:
            async for event_id, event in owner.events.stream(last_event_id=last_event_id):
                if event.type == wanted:
                    return event_id
            raise AssertionError("the stream ended")

        listening = asyncio.create_task(hear(None, "message.queued"))
        await asyncio.sleep(0.5)
        await owner.conversations.send(conversation.conv_id, "Olá!")
        place = await asyncio.wait_for(listening, 20)
        await owner.conversations.close(conversation.conv_id, reason="done")
        await asyncio.wait_for(hear(place, "conversation.closed"), 20)

    assert [event.conv_id for event in first] == [conversation.conv_id]
