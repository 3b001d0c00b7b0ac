"""What an agent learns towards: rewards, advantages and value targets."""
