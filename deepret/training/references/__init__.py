"""References: the codes that anchors are compared with."""
