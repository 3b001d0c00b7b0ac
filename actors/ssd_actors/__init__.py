"""The actor process (`ssd-actor`): one agent in one arena, with a policy and an MOA of its own."""
