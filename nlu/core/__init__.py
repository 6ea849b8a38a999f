"""What learns and measures, free of Rasa: the components wrap it, evaluate.py calls it with cached features."""
