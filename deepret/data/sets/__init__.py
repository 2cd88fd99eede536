"""Published sets in their official layouts, each a file that turns them into a catalogue."""
