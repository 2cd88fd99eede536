"""What hangs together: photographs are nodes, verified pairs are edges."""
