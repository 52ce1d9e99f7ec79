"""The user's pip settings, as uv is told them."""

from grader.rerun import index

PRINTED = """:env:.find-links='/wheels'
global.cert='/certs.pem'
global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
global.find-links='/a /b'
install.find-links='/c'
global.timeout='60'
broken line
"""


def test_config_files_are_read_and_sections_ranked() -> None:
    settings = index.from_config_list(PRINTED)
    assert settings == {
        "cert": "/certs.pem",
        "extra-index-url": "https://one.example/simple\nhttps://two.example/simple",
        "find-links": "/c",
    }


def test_variables_go_before_files(monkeypatch) -> None:
    monkeypatch.setattr(index, "_config_list", lambda: PRINTED)
    settings = index.read(
        {"PIP_FIND_LINKS": "/x /y", "PIP_INDEX_URL": "https://main.example/simple", "PIP_NO_INDEX": "1"}
    )
    assert settings.find_links == ("/x", "/y")
    assert settings.uv_options() == [
        "--index-strategy",
        "unsafe-best-match",
        "--index-url",
        "https://main.example/simple",
        "--extra-index-url",
        "https://one.example/simple",
        "--extra-index-url",
        "https://two.example/simple",
        "--find-links",
        "/x",
        "--find-links",
        "/y",
        "--no-index",
    ]
    assert settings.cert == "/certs.pem"


def test_pip_itself_is_asked() -> None:
    """pip is there in every environment these tests run in, and prints something this reads."""
    assert isinstance(index.read(), index.IndexSettings)
    assert "PIP_" not in index._config_list()
