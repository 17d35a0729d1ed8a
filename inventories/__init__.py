"""Sample inventories, and the lab's (data)."""
