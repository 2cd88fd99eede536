"""Where the boxes come from that a region proposal network learns."""
