"""The tab "Use it": the same from Python and over HTTP, and what the checkpoint is."""

import gradio as gr

from inbedder_core.registry import BUNDLED, CHECKPOINTS

LIBRARY = """from inbedder_core import InBedder, explore

encoder = InBedder.from_pretrained()          # the bundled checkpoint, no download
texts = ["I love cats", "I love dogs", "I dislike cats"]

encoder.encode(texts, "What animal is mentioned?")       # (3, 384) float32
encoder.answers(texts, "What animal is mentioned?")      # [[("cat", 0.5), …], …]

result = explore(texts, ["What animal is mentioned?", "What emotion is expressed?"])
result.views[0].clustering.names"""

ENDPOINT = """from gradio_client import Client

app = Client("http://127.0.0.1:7860")         # the address of this page
result = app.predict(
    texts=["I love cats", "I love dogs", "I dislike cats"],
    instructions=["What animal is mentioned?", "What emotion is expressed?"],
    api_name="/explore",
)
result["views"][0]["group_names"]"""


def build() -> None:
    """Lays out the tab."""
    gr.Markdown("## From Python\nIn the folder of this app, with its requirements installed:")
    gr.Code(LIBRARY, language="python", interactive=False, show_label=False)
    gr.Markdown(
        "## Over HTTP\nThe endpoint `/explore` answers with everything that the page shows:"
    )
    gr.Code(ENDPOINT, language="python", interactive=False, show_label=False)
    rows = "\n".join(
        f"| `{spec.name}` | {spec.parameters / 1e6:,.0f}M | "
        f"{f'{spec.size_mb / 1000:.1f} GB' if spec.size_mb else 'bundled'} | {spec.method} | "
        f"{spec.license} |"
        for spec in CHECKPOINTS.values()
    )
    gr.Markdown(
        "## Checkpoints\n| name | parameters | download | method | licence |\n"
        f"|---|---|---|---|---|\n{rows}"
    )
    with gr.Accordion("Model card of the bundled checkpoint", open=False):
        gr.Markdown(_card())


def _card() -> str:
    with open(f"{BUNDLED.source}/README.md", encoding="utf-8") as file:
        text = file.read()
    return text.split("---\n", 2)[-1]
