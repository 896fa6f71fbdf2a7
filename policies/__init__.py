"""Pure decisions: facts and an instant in, an answer with its reasons out. No clock, network, database or Temporal."""
