"""The closure detector with an owner's own words, from the database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from calling import calling
from conftest import database_url
from factories import Tenant
from owner.db.embedded import EmbeddedServer
from owner.models.closure import ClosureDecision
from owner.models.errors import ReservedClosureKeyword
from owner.models.owner import ClosureSettings, ClosureUpdate
from owner.repositories.owners import OwnerRepository
from owner.services.catalog import Services
from owner.services.closure_detector import ClosureDetector
from owner.services.secrets_box import new_secret_key


@pytest.fixture
def score_as(
    server: EmbeddedServer, database_name: str, tmp_path: Path
) -> Callable[[int, str], dict[str, object]]:
    """`owner closure score --owner`, on the tests' database."""
    environment = {
        **os.environ,
        "OWNER_HOME": str(tmp_path),
        "OWNER_DATABASE_URL": database_url(server, database_name),
        "OWNER_SECRET_KEY": new_secret_key(),
    }

    def score(owner_id: int, text: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "owner", "closure", "score", "-", "--owner", str(owner_id)],
            input=json.dumps({"history": [], "text": text}),
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        found: dict[str, object] = json.loads(done.stdout)
        return found

    return score


async def set_keywords(services: Services, tenant: Tenant, *keywords: str) -> None:
    async with services.database.owner(tenant.owner_id) as connection:
        repository = OwnerRepository(connection)
        owner = await repository.get(tenant.owner_id)
        await repository.save(owner.model_copy(update={"closure": ClosureSettings(keywords=list(keywords))}))


async def test_the_command_scores_with_the_keywords_of_the_owner(
    services: Services, acme: Tenant, globex: Tenant, score_as: Callable[[int, str], dict[str, object]]
) -> None:
    await set_keywords(services, acme, "cabô")

    ours = score_as(acme.owner_id, "cabô")
    theirs = score_as(globex.owner_id, "cabô")

    assert (ours["decision"], theirs["decision"]) == ("CLOSE", "NONE")


def test_the_detector_remembers_each_owner_s_keywords() -> None:
    detector = ClosureDetector()
    detector.set_owner_keywords(owner_id="1", keywords=["cabô"])

    ours = detector.detect("cabô", owner_id="1")
    the_same = detector.detect("cabô", owner_id=1, settings=ClosureSettings())
    theirs = detector.detect("cabô", owner_id=2)

    assert (ours.decision, theirs.decision) == (ClosureDecision.CLOSE, ClosureDecision.NONE)
    assert the_same == ours


def test_a_word_that_opts_out_is_no_keyword() -> None:
    with pytest.raises(ReservedClosureKeyword):
        ClosureDetector().set_owner_keywords(1, ["encerrar", "Stop"])
    with pytest.raises(ReservedClosureKeyword):
        ClosureUpdate(keywords=["sair"])


def test_a_word_that_opts_out_and_is_stored_all_the_same_closes_nothing() -> None:
    stored = ClosureSettings(keywords=["stop"])

    score = ClosureDetector().detect("stop", owner_id=1, settings=stored)

    assert score.decision is ClosureDecision.NONE


async def test_a_message_is_tried_over_rest_as_on_the_command_line(
    services: Services, acme: Tenant, globex: Tenant, score_as: Callable[[int, str], dict[str, object]]
) -> None:
    await set_keywords(services, acme, "cabô")

    async with calling(services, acme.api_key) as api:
        ours = await api.call("POST", "/v1/closure/score", {"text": "cabô"})
        theirs = await api.call("POST", "/v1/closure/score", {"text": "cabô"}, key=globex.api_key)

    assert ours.status == 200
    assert ours.body == score_as(acme.owner_id, "cabô")
    assert (ours.body["decision"], theirs.body["decision"]) == ("CLOSE", "NONE")


async def test_a_trial_knows_history_context_and_the_owners_thresholds(
    services: Services, acme: Tenant
) -> None:
    trial = {
        "history": [{"speaker": "agent", "text": "Posso ajudar em mais alguma coisa?"}],
        "text": "Não, obrigado",
    }

    async with calling(services, acme.api_key) as api:
        done = await api.call("POST", "/v1/closure/score", trial)
        held = await api.call("POST", "/v1/closure/score", {**trial, "context": {"can_close": False}})
        await api.call("PATCH", f"/v1/owners/{acme.owner_id}", {"closure": {"confirm_at": 0, "close_at": 1}})
        unsure = await api.call("POST", "/v1/closure/score", {"text": "meu gato sumiu"})

    assert [answer.body["decision"] for answer in (done, held, unsure)] == ["CLOSE", "NONE", "CONFIRM"]


@pytest.mark.parametrize(
    "trial",
    [
        {"text": ""},
        {"text": "👋" * 5_000},
        {"text": "ок, спасибо"},
        {"text": "oi", "context": {"button": {"a": []}, "pending_actions": 5, "can_close": "no"}},
    ],
)
async def test_odd_messages_get_a_score(services: Services, acme: Tenant, trial: dict[str, object]) -> None:
    async with calling(services, acme.api_key) as api:
        answer = await api.call("POST", "/v1/closure/score", trial)

    assert answer.status == 200
    assert 0 <= answer.body["confidence"] <= 1


@pytest.mark.parametrize(
    "trial",
    [{}, {"text": "a" * 10_001}, {"text": "oi", "history": [{"speaker": "bot", "text": ""}]}, {"text": 5}],
)
async def test_a_trial_that_makes_no_sense_is_refused(
    services: Services, acme: Tenant, trial: dict[str, object]
) -> None:
    async with calling(services, acme.api_key) as api:
        answer = await api.call("POST", "/v1/closure/score", trial)

    assert (answer.status, answer.code) == (422, "invalid_input")
