"""The actor process (`ssd-actor`): one agent acting in one arena."""
