"""Executes the notebooks, validates them by a second run, and renders the site."""
