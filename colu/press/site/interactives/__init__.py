"""The interactive figures, one module each: ``twin()`` draws the static picture, ``data()`` computes what it needs.

Both use the package, at the build; a figure whose script computes all by itself has no ``data``.
"""
