"""Settings of the site. `make docs` builds it into docs/_build/html: a warning is an error, and no page loads anything
from another host.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tuppence"
author = "the tuppence contributors"
html_title = "tuppence"

extensions = [
    "accessible",
    "api_pages",
    "colab_button",
    "command_line",
    "docstrings",
    "inline_figures",
    "live_model",
    "mathml",
    "myst_nb",
    "notebook_names",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_*", "chapters/README.md"]

# Every reference to our own names must resolve. Those to other libraries cannot: their indexes are on other hosts.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!tuppence\.).*")]

smartquotes = False  # they turn --flags into dashes
highlight_language = "none"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # chapters come with their outputs; `make notebooks` executes them
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # the default loads scripts from other hosts

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    "ignore-module-all": True,  # an object has one page, that of the module that defines it
}
autodoc_typehints = "signature"
autodoc_use_type_comments = False
add_module_names = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
toc_object_entries = False  # they make the build three times as long: every page has the whole navigation

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css", "figures.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
