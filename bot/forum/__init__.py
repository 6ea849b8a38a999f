"""The Telegram desk: forum groups where agents work, a topic for each request; the web desk shows the same.

intake    what is written in a group is stored, once, before Telegram's offset moves
orders    a job does what agents wrote and pressed, each thing in a transaction of its own
actions   what that is: a reply to the customer, a note, a command, a press
attached  the files that agents attach, on their way into the store
commands  how what they wrote is read
cards     what a topic is called, the pinned card and its buttons
lines     the transcript and the timeline as messages of a topic
topics    what a topic lacks of what the store says: the next call to Telegram
said      the part of it that was said and happened: lines, events, attachments
calls     such a call: what it does, how urgent it is, what remembers that it was made
shown     what stands in a topic already
board     one process at a time brings a group's topics up, as fast as Telegram lets it
desks     all of it in one process
api       the calls, and their errors in our terms

A topic is only ever a picture of the store: what was missed is caught up on, what was deleted is made anew.
"""

from bot.forum.desks import WORKERS, TelegramDesks, about
from bot.forum.intake import FORUM

__all__ = ["FORUM", "WORKERS", "TelegramDesks", "about"]
