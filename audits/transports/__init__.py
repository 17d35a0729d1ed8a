"""One file per protocol, one library each: questions in, answers out."""
