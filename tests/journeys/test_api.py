"""The named endpoint answers to gradio_client."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

TEXTS = ["I love cats", "I love dogs", "Cats bore me", "Dogs bore me"]


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


def test_explore(client):
    instructions = ["What animal is mentioned?", "What emotion is expressed?"]
    result = client.predict(texts=TEXTS, instructions=instructions, api_name="/explore")
    assert result["texts"] == TEXTS
    assert [view["instruction"] for view in result["views"]] == instructions
    animal = result["views"][0]
    top = [row[0][0].removesuffix("s") for row in animal["answers"]]
    assert top == ["cat", "dog", "cat", "dog"]
    assert animal["groups"][0] == animal["groups"][2] != animal["groups"][1]
    assert len(animal["heatmap"]) == len(animal["xy"]) == 4
    assert 0 <= result["comparisons"][0]["agreement"] <= 1


def test_bad_input_is_one_sentence(client):
    with pytest.raises(AppError, match="There is no text yet"):
        client.predict(texts=[], instructions=["What?"], api_name="/explore")
    for texts in ("one string", None, [1, None]):
        with pytest.raises(AppError, match=r"texts.*should be a valid"):
            client.predict(texts=texts, instructions=["What?"], api_name="/explore")
    with pytest.raises(AppError, match="seed"):
        client.predict(texts=TEXTS, instructions=["What?"], seed=-1, api_name="/explore")
    with pytest.raises(AppError, match="doesn't load"):
        client.predict(
            texts=TEXTS, instructions=["What?"], checkpoint="/etc/passwd", api_name="/explore"
        )


def test_explore_is_the_only_named_endpoint(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(named) == ["/explore"]
