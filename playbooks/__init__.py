"""Ansible: the lab's installation, and remedies that keuring never runs by itself (data)."""
