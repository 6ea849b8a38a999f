"""Several requests in one message: where they may meet, and whether they do."""

from nlu.text.clauses.requests import Ranking, Read, Reading, divide

__all__ = ["Ranking", "Read", "Reading", "divide"]
