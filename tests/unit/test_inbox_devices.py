"""Where somebody is signed in is said in words."""

import pytest

from owner.inbox.devices import device_name

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
EDGE = f"{CHROME} Edg/150.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
ANDROID = "Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "Chrome · Windows"),
        (EDGE, "Edge · Windows"),
        (IPHONE, "Safari · iPhone"),
        (ANDROID, "Firefox · Android"),
        ("curl/8.5.0", "curl/8.5.0"),
    ],
)
def test_browsers_and_systems_have_the_names_that_people_call_them(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name
