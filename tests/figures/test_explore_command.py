"""`uniformity explore`: what it refuses, in one sentence and with status 2, before it serves or writes anything."""

import socket

import pytest
from in_process import run

MODEL = "import jax.numpy as jnp\nmodel = (lambda key: {'w': jnp.ones(2)}, lambda params, x: x @ params['w'])\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--state", "nothing.toml"), ("state", "nothing.toml")),
        (("--state", "broken.toml"), ("broken.toml", "TOML")),
        (("--state", "unknown.toml"), ("unknown.toml line 2", "colour")),
        (("--state", "wide.toml"), ("wide.toml line 1", "width", "4096")),
        (("--state", "far.toml"), ("h must lie in",)),
        (("--model", "nothing.py:model"), ("model", "nothing.py")),
        (("--model", "model.py"), ("FILE.py:NAME", "model.py")),
        (("--model", "model.py:other"), ("other", "model.py")),
        (("--port", "99999"), ("--port", "65535", "99999")),
        (("--export", "page.txt"), ("--export", ".html", "page.txt")),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("depth = = 3\n")
    (tmp_path / "unknown.toml").write_text("depth = 3\ncolour = 4\n")
    (tmp_path / "wide.toml").write_text("width = 100000\n")
    (tmp_path / "far.toml").write_text("h = 7.0\n")
    (tmp_path / "model.py").write_text(MODEL)
    before = set(tmp_path.iterdir())
    status, out, err = run("explore", "--no-browser", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert all(word in err for word in words), err
    assert {path for path in tmp_path.iterdir() if path.suffix != ".py" and path.name != "__pycache__"} <= before


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run("explore", "--no-browser", "--port", port)
    assert (status, out) == (2, "") and str(port) in err and err.count("\n") == 1
