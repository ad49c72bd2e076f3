"""Lets JupyterLab load the course's own style, custom/custom.css. A person's own custom.css would stand in the same place."""

from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821 (traitlets, which runs this file, gives it)
c.LabApp.custom_css = True
# `static_custom_path` itself cannot be configured; the settings that are made from it can.
c.ServerApp.tornado_settings = {"static_custom_path": [str(Path(__file__).parent / "custom")]}
