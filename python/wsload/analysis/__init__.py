"""Statistics over runs: are two sets of them alike, and if not, by how much. Numbers in, numbers out."""
