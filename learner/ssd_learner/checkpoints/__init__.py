"""Checkpoint files, when they are written, and how a learner resumes from one."""
