"""The desk: what agents do with requests. An action that is not possible now is refused by an error with status 409.

Each function takes the agent's name and the conversation's id (`request_id`: which of its requests, where the agent has
several), locks the conversation, and does everything in the session's transaction: the change, its line in the timeline,
the message to the customer, the event for listeners. What can be undone for a few seconds goes through `bot.planned`.
"""

from bot.desk.calls import call_back, called
from bot.desk.cases import open_case
from bot.desk.ending import resolve, resume, wait
from bot.desk.joining import join
from bot.desk.passing import decline, transfer
from bot.desk.shift import shift_off, shift_on, take_back, works_without_browser
from bot.desk.spam import not_spam, spam
from bot.desk.speaking import hold, note, reply
from bot.desk.taking import prioritise, read, step_in, take, watch

__all__ = [
    "call_back",
    "called",
    "decline",
    "hold",
    "join",
    "not_spam",
    "note",
    "open_case",
    "prioritise",
    "read",
    "reply",
    "resolve",
    "resume",
    "shift_off",
    "shift_on",
    "spam",
    "step_in",
    "take",
    "take_back",
    "transfer",
    "wait",
    "watch",
    "works_without_browser",
]  # fmt: skip
