"""Commands, run with ``python -m inbedder_core.recipes.NAME``; nothing imports them."""
