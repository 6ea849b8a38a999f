"""What an agent wants to do with a request is not possible now."""

from __future__ import annotations

from bot.errors.base import FirstlineError, NotFound, Refused


class ConversationUnknown(NotFound):
    """There is no such conversation."""


class OffShift(Refused):
    """The agent is off shift."""


class NothingToTake(Refused):
    """No request waits in the agent's queues."""


class RequestTaken(Refused):
    """Another agent has already taken this request."""


class RequestReserved(Refused):
    """The customer's personal manager has the first claim on this request for a short time."""


class NotYourQueue(Refused):
    """The request waits in a queue that the agent does not serve."""


class NotYourRequest(Refused):
    """The agent has no request with this customer in hand."""


class AlreadyYours(Refused):
    """The agent to whom the request would be passed has it already."""


class TimeOver(Refused):
    """The moment to wait until is over."""


class RequestGone(Refused):
    """The request was taken back or is closed."""


class AlreadyJoined(Refused):
    """An agent has joined: the request can no longer be taken back."""


class QueueUnknown(Refused):
    """The pack has no such queue."""


class TargetOffShift(Refused):
    """The agent to whom the request would be passed is off shift."""


class AlreadySent(Refused):
    """The message was sent, or is on its way."""


class CommentMissing(Refused):
    """Passing a request on or giving it back needs a comment for the next agent."""


class EscalationNotOffered(Refused):
    """Only the resolution not_solved opens escalation."""


class CategoryMissing(Refused):
    """An escalation needs the category of the request."""


class ReasonMissing(Refused):
    """An escalation needs its reason."""


class NotRead(Refused):
    """The summary, the comment and the transcript come first: this agent has not been shown the request yet."""


class ResolutionUnknown(Refused):
    """A request ends as solved or not_solved."""


class NotWaiting(Refused):
    """The request does not wait for the customer."""


class TimeTooFar(Refused):
    """The moment is more than three months ahead."""


class PriorityUnknown(Refused):
    """There is no such priority."""


class PriorityReasonMissing(Refused):
    """A change of priority needs its reason."""


class CaseCategoryUnknown(Refused):
    """The pack has no such kind of case."""


class CaseCommentMissing(Refused):
    """A case needs a comment that whoever does it can work by."""


class PhoneInvalid(Refused):
    """This is no telephone number that can be called."""


class PhoneNotConfirmed(Refused):
    """The customer has to confirm number and time before a call is promised."""


class NoCall(Refused):
    """No call is promised in this request."""


class NotSameCustomer(Refused):
    """The requests belong to different customers, or it is not known that they belong to the same."""


class JoinedToItself(Refused):
    """A request cannot be joined to itself."""


class InOtherHands(Refused):
    """Another agent has the other request in hand."""


class SupervisorsOnly(Refused):
    """Only supervisors may do this."""


class NotInHand(Refused):
    """Nobody has this request in hand: it can be taken."""


class NotSpam(Refused):
    """The conversation is not marked as spam."""


class CustomerWrote(Refused):
    """The customer has written meanwhile."""


class PlannedAlready(Refused):
    """Another action on this request is about to be done: it has to be undone first."""


class NothingToUndo(Refused):
    """There is nothing that could be undone: the action is done already."""


class RequestUnknown(FirstlineError):
    """There is no such request, or it is not this key's to see."""

    status = 404
