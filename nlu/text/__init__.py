"""The text modules: mending, entities and clauses of a customer's message. Pure Python, no Rasa."""
