"""The run: definition and inventory, plan, collect, evaluate, decide."""
