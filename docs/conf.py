"""The documentation site: `make site` builds it into docs/_build/html, offline and with warnings as errors."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from docs.reference import FOLDER, HEADER, api  # noqa: E402

project = "Hoego"
author = "The Hoego authors"
copyright = author
version = release = version_of("hoego")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
# .rst comes first: autosummary writes its pages with the first suffix.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
exclude_patterns = ["_build", "**/.*"]
templates_path = ["_templates"]
nitpicky = False

# Pages whose front matter names a kernel are run by the build; an error in one is an error of the build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "remove"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The page follows `hoego.__all__` by itself; it is written here because autosummary looks for names before it builds.
API = HEADER.replace("make docs", "make site") + api()
if not (FOLDER / "api.md").is_file() or (FOLDER / "api.md").read_text(encoding="utf-8") != API:
    (FOLDER / "api.md").write_text(API, encoding="utf-8")
autosummary_generate = ["reference/api.md"]  # named, since a build that goes on from an older one does not look for new pages
# hoego.Score and hoego.score are one file where case does not count.
autosummary_filename_map = {
    f"hoego.{name}": f"hoego.{name}-function" for name in ("ensemble", "runs", "score")
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"
add_module_names = False
python_maximum_signature_line_length = 88
copybutton_exclude = ".linenos, .gp, .go"
highlight_language = "text"

html_theme = "pydata_sphinx_theme"
html_title = "Hoego"
html_static_path = ["_static"]
html_css_files = ["hoego.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "Hoego 회고"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "start": []}
