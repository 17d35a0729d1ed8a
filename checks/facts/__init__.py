"""A question and a pure reader per subject."""
