"""Every error of Firstline: a name, a parent, a sentence, and the HTTP status it stands for."""
# ruff: noqa: F403

from bot.errors.attachments import *
from bot.errors.base import *
from bot.errors.calls import *
from bot.errors.delivery import *
from bot.errors.desk import *
from bot.errors.people import *
from bot.errors.systems import *
