"""File and wire formats of the field, read from bytes and never trusted."""
