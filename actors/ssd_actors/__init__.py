"""The actor process (`ssd-actor`): one agent in one arena, with its policy, its MOA and its influence reward."""
