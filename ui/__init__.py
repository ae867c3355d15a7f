"""The page. Everything that knows Gradio is here and in app.py."""
