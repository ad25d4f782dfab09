# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sphinx: the manual of both languages. `make doc` puts the generated pages beside this."""

project = "aioxen"
copyright = "aioxen's authors, LGPL-2.1-or-later"
extensions = ["sphinx.ext.autodoc"]
html_theme = "alabaster"
html_theme_options = {"description": "Controlling Xen domains, asynchronously"}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
