"""What we look for: questions, facts, expectations and checks. Pure: no network, no file, no clock."""
