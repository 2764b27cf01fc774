"""Every Request and Outcome: what a user can ask, and what comes back. One file a topic."""
