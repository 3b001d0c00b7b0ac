"""Rewards beside the environment's: influence on other agents, and social preferences."""
