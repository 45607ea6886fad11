"""Who may ask the page's server: with its token, by its own name, from its own page."""

import asyncio
from urllib.parse import urlsplit

import pytest

from figures.explore.opened import first_state
from figures.explore.server import HOST, POLICY, application

PORT = 8123


@pytest.fixture(scope="module")
def app():
    return application(PORT, "right")


def ask(app, url, *, kind="http", **headers):
    """The first message that the application answers a request with."""
    split = urlsplit(url)
    sent = {"host": f"{HOST}:{PORT}", **headers}
    scope = {
        "type": kind,
        "http_version": "1.1",
        "method": "GET",
        "scheme": {"http": "http", "websocket": "ws"}[kind],
        "path": split.path,
        "raw_path": split.path.encode(),
        "query_string": split.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (HOST, 1),
        "server": (HOST, PORT),
        "subprotocols": [],
    }
    answers = []

    async def receive():
        return {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}

    async def send(message):
        answers.append(message)

    asyncio.run(app(scope, receive, send))
    return answers[0]


def header(answer, name):
    return dict(answer["headers"]).get(name.encode(), b"").decode()


def test_a_page_needs_the_token(app):
    for url in ("/", "/?access_token=wrong"):
        answer = ask(app, url)
        assert answer["status"] == 303 and header(answer, "location").startswith("/auth/login")
    welcome = ask(app, "/?access_token=right&depth=3")
    assert (welcome["status"], header(welcome, "location")) == (303, "/?depth=3") and header(welcome, "set-cookie")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:9"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9"},
    ],
)
def test_another_name_or_another_page_is_refused_even_with_the_token(app, headers):
    assert ask(app, "/?access_token=right", **headers)["status"] == 403
    refused = ask(app, "/ws?access_token=right", kind="websocket", **headers)
    assert refused == {"type": "websocket.close", "code": 1008}


def test_every_answer_forbids_reaching_outside(app):
    for url in ("/", "/?access_token=right", "/health"):
        assert header(ask(app, url), "content-security-policy") == POLICY
    assert "http" not in POLICY and "*" not in POLICY and "default-src 'self'" in POLICY


def test_an_address_that_names_no_state_gives_the_default_and_a_sentence():
    state, told = first_state({"depth": "3"})
    assert (state.depth, told) == (3, "")
    for query, word in (({"depth": "999"}, "depth"), ({"model": "/etc/passwd:x"}, "model"), ({"h": ["1", "2"]}, "h")):
        state, told = first_state(query)
        assert state == first_state({})[0] and word in told and told.count(".") >= 1 and "\n" not in told
