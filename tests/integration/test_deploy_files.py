"""The files that put Owner on a server, checked as far as it goes without a Docker engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from owner.settings import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
ENVIRONMENT_EXAMPLE = (ROOT / ".env.example").read_text()
OWN_SERVICES = ("migrate", "api", "worker")
SETTINGS = {f"OWNER_{field.upper()}" for field in Settings.model_fields}
# The image sets the first; only `migrate` may know the second.
NOT_SHARED = {"OWNER_HOME", "OWNER_ADMIN_DATABASE_URL"}
YAML_FILES = sorted(
    path
    for pattern in ("*.yaml", "*.yml", ".github/**/*.yml", "deploy/**/*.yaml", "deploy/**/*.yml")
    for path in ROOT.glob(pattern)
)
YAML_RULES = "{extends: default, rules: {document-start: disable, truthy: {check-keys: false}, line-length: {max: 120}}}"
REQUIRED = {
    "POSTGRES_PASSWORD": "a",
    "POSTGRES_ADMIN_PASSWORD": "b",
    "POSTGRES_SERVICE_PASSWORD": "c",
    "OWNER_PUBLIC_URL": "https://owner.example.com",
    "OWNER_SECRET_KEY": "d",
}


def docker_commands() -> list[list[str]]:
    default = re.findall(r"^CMD (\[.+\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [json.loads(default[-1]), *(COMPOSE["services"][name]["command"] for name in OWN_SERVICES)]


@pytest.mark.parametrize("arguments", docker_commands(), ids=" ".join)
def test_containers_start_commands_and_options_that_exist(arguments: list[str]) -> None:
    finished = run(BIN / "owner", *arguments, "--help")

    assert finished.returncode == 0, finished.stderr


def test_every_setting_is_explained_in_the_environment_example() -> None:
    explained = set(re.findall(r"^#?(OWNER_[A-Z_]+)=", ENVIRONMENT_EXAMPLE, re.MULTILINE))

    assert explained == SETTINGS


def test_every_shared_setting_reaches_the_api_and_the_worker() -> None:
    for name in ("api", "worker"):
        assert set(COMPOSE["services"][name]["environment"]) == SETTINGS - NOT_SHARED


def test_only_the_migration_knows_the_role_that_owns_the_tables() -> None:
    knowing = {
        name
        for name in OWN_SERVICES
        if "POSTGRES_ADMIN_PASSWORD" in json.dumps(COMPOSE["services"][name]["environment"])
    }

    assert knowing == {"migrate"}


def test_compose_takes_no_password_but_from_the_environment() -> None:
    variables = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    offered = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", ENVIRONMENT_EXAMPLE, re.MULTILINE))

    assert variables == set(REQUIRED)
    assert variables <= set(offered)
    assert [name for name in variables - {"OWNER_PUBLIC_URL"} if offered[name]] == []


def test_the_example_can_be_read_as_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    shown = dict(re.findall(r"^#?(OWNER_[A-Z_]+)=(.+)$", ENVIRONMENT_EXAMPLE, re.MULTILINE))
    defaults = Settings(_env_file=None).model_dump()
    for name, value in shown.items():
        monkeypatch.setenv(name, value)

    read = Settings(_env_file=None).model_dump()

    # Where the example shows a value that is no mere illustration, it is the default.
    illustrations = {
        "home",
        "database_url",
        "admin_database_url",
        "listen_database_url",
        "public_url",
        "trusted_proxies",
    }
    assert {name for name in read if read[name] != defaults[name]} <= illustrations


def test_the_image_has_the_client_of_redis_which_a_setting_names() -> None:
    locked = (ROOT / "requirements" / "runtime.lock").read_text()

    assert re.search(r"^redis==", locked, re.MULTILINE)


def test_only_the_loopback_interface_is_published() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert published == ["${PUBLISH_ADDRESS:-127.0.0.1:8000}:8000"]


@pytest.mark.parametrize(
    ("schema", "path"),
    [("compose-spec", "compose.yaml"), ("github-workflows", ".github/workflows/ci.yml")],
)
def test_files_follow_the_published_schema(schema: str, path: str) -> None:
    finished = run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", path)

    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_files_pass_the_linter(path: Path) -> None:
    finished = run(BIN / "yamllint", "--strict", "--config-data", YAML_RULES, path)

    assert finished.returncode == 0, finished.stdout


def test_the_dockerfile_passes_the_linter() -> None:
    finished = run(BIN / "hadolint", "Dockerfile")

    assert finished.returncode == 0, finished.stdout


def test_compose_resolves_with_all_required_variables() -> None:
    if shutil.which("docker") is None or run("docker", "compose", "version").returncode != 0:
        pytest.skip("no docker with the compose plugin here")

    finished = run("docker", "compose", "config", "--quiet", **REQUIRED)

    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("missing", REQUIRED)
def test_compose_names_a_required_variable_that_is_missing(missing: str) -> None:
    if shutil.which("docker") is None or run("docker", "compose", "version").returncode != 0:
        pytest.skip("no docker with the compose plugin here")

    finished = run("docker", "compose", "config", "--quiet", **(REQUIRED | {missing: ""}))

    assert finished.returncode != 0
    assert missing in finished.stderr


def test_continuous_integration_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())

    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]

    assert "make test" in steps
    assert "make test" in script.read_text()
    assert os.access(script, os.X_OK)


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())

    listed = set(re.findall(r"^  make (\S+)", run("make", "help").stdout, re.MULTILINE))

    assert listed == phony


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
