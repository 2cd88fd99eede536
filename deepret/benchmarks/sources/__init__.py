"""What a benchmark's rankings come from: a network that describes photographs, codes in files, or rankings in one."""
