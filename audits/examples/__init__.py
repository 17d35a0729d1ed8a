"""Audit definitions to start from (data)."""
