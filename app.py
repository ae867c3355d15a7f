"""InBedder Explorer: run ``python app.py`` and open the address that it prints."""

import os

# Before gradio is imported: no usage reports.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from ui import page, session


def main() -> None:
    """Opens the page, and warms up the checkpoint and UMAP behind it."""
    demo = page.build()
    session.warm_up(delay=5)  # the first visitor's page comes first
    demo.launch(**page.launch_options())


if __name__ == "__main__":
    main()
