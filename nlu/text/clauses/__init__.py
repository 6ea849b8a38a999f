"""Several requests in one message: cut it into clauses, and join what the model reads in them."""

from nlu.text.clauses.cut import Clause, split
from nlu.text.clauses.marks import is_request
from nlu.text.clauses.readings import Ranking, Reading, attach, join

__all__ = ["Clause", "Ranking", "Reading", "attach", "is_request", "join", "split"]
