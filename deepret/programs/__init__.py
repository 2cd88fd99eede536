"""The programs: what each does from its first word to its last line."""
