"""No locked package has a hole that its advisory service knows of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
OUT_OF_REACH = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "ServiceError", "SSLError")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_locked_package_has_a_known_hole() -> None:
    locks = [word for lock in sorted(REQUIREMENTS.glob("*.lock")) for word in ("-r", str(lock))]
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--disable-pip", *locks]

    done = subprocess.run(
        [*command, "--require-hashes", "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )

    if not done.stdout and any(word in done.stderr for word in OUT_OF_REACH):
        pytest.skip(f"the advisory service can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.stdout, done.stderr
    audited = json.loads(done.stdout)["dependencies"]
    assert audited
    assert {package["name"]: package["vulns"] for package in audited if package.get("vulns")} == {}
    assert [package["name"] for package in audited if "skip_reason" in package] == []
