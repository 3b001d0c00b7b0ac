"""`ssd-bench`: how fast every part of the system is, and the whole."""
