"""Renderers of a recorded run; nothing is measured here."""
