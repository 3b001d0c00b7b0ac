"""How far a run is: metrics scraped from its processes, and episodes that environments report."""
