"""How an RPN learns: over cached maps in a stage of its own, or beside the ranking."""
