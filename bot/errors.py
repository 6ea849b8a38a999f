"""Every error of Firstline: a name, a parent, a sentence, and the HTTP status it stands for."""

from __future__ import annotations

from typing import Literal


class FirstlineError(Exception):
    """Something in Firstline went wrong."""

    status = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


# ------------------------------------------------------------------------------------------- settings and the store
class SettingsInvalid(FirstlineError):
    """A setting is missing or has a wrong value."""


class StoreUnavailable(FirstlineError):
    """The database cannot store anything now."""

    status = 503


# ------------------------------------------------------------------------------------------------- outside systems
class NluUnavailable(FirstlineError):
    """The NLU service does not answer."""

    status = 503


class CrmUnavailable(FirstlineError):
    """One of the shop's systems does not answer. `system` is the name the pack knows it by."""

    status = 503

    def __init__(self, message: str | None = None, *, system: str = "crm") -> None:
        super().__init__(message)
        self.system = system


class CrmActionUnknown(FirstlineError):
    """The shop's CRM has no such action."""


# -------------------------------------------------------------------------------------------------------- delivery
class DeliveryFailed(FirstlineError):
    """A message could not be delivered."""


class RetryLater(DeliveryFailed):
    """The messenger asks to wait. `after` is in seconds; `of`: whose messages wait.

    message: this one's chat, because of trouble; chat: because too much is sent to it; channel: all that we send.
    """

    def __init__(
        self, message: str | None = None, *, after: float = 1.0, of: Literal["message", "chat", "channel"] = "message"
    ) -> None:
        super().__init__(message)
        self.after, self.of = after, of


class Unreachable(DeliveryFailed):
    """The customer has blocked us or the chat is gone: nothing can be sent until they write again."""


class Rejected(DeliveryFailed):
    """The messenger refuses this very text; sending it again is useless."""


class ChannelStopped(DeliveryFailed):
    """The channel's token is no longer accepted: somebody has to look."""


class DeliveryUnknown(DeliveryFailed):
    """The messenger did not say whether the message was sent."""


# --------------------------------------------------------------------------------------- forum groups of the desk
class TopicGone(DeliveryFailed):
    """The topic was deleted in Telegram: it has to be made anew."""


class TopicClosed(DeliveryFailed):
    """The topic was closed in Telegram: it has to be opened again."""


class CardGone(DeliveryFailed):
    """The message that was to be changed or pinned is not there any more."""


class GroupRefused(DeliveryFailed):
    """The bot cannot work in this group: somebody has to look at its rights there."""


# ----------------------------------------------------------------------------------------------------- attachments
class FileRefused(FirstlineError):
    """An attachment is not kept. `reason` is the word that is stored for it."""

    status = 415
    reason = "refused"


class FileNotTaken(FileRefused):
    """An attachment of this kind is not taken."""

    reason = "kind"


class FileTooBig(FileRefused):
    """The attachment is larger than one may be."""

    status = 413
    reason = "too_big"


class DayFull(FileRefused):
    """The customer has sent as much as is kept in a day."""

    status = 413
    reason = "day_full"


class FileStoreUnavailable(FirstlineError):
    """The place where attachments are kept does not answer."""

    status = 503


# ------------------------------------------------------------------------------------- actions that are refused now
class Refused(FirstlineError):
    """This action is not possible now."""

    status = 409


class NotFound(FirstlineError):
    """There is no such thing."""

    status = 404


class AgentUnknown(NotFound):
    """There is no agent of this name."""


class ConversationUnknown(NotFound):
    """There is no such conversation."""


class FileUnknown(NotFound):
    """There is no such attachment."""


class FileGone(NotFound):
    """The attachment was not kept, or is no longer."""

    status = 410


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


# ----------------------------------------------------------------------------------------------- people at the desk
class SignInRefused(FirstlineError):
    """Name or password is wrong."""

    status = 401


class SignInHeldUp(FirstlineError):
    """There were too many attempts to sign in. `after`: seconds until the next one."""

    status = 429

    def __init__(self, message: str | None = None, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class Invalid(FirstlineError):
    """What was entered cannot be so."""

    status = 422


class PasswordRefused(Invalid):
    """The password cannot be this one."""


class PasswordShort(PasswordRefused):
    """A password has 10 characters or more."""


class PasswordLong(PasswordRefused):
    """A password has 200 characters at the most."""


class PasswordCommon(PasswordRefused):
    """This password is one of those that are guessed first."""


class PasswordIsName(PasswordRefused):
    """A password is not the person's name."""


class PasswordSame(PasswordRefused):
    """The new password is the old one."""


class PasswordWrong(PasswordRefused):
    """The present password is another one."""


class AgentInvalid(Invalid):
    """An account cannot be like this."""


class NameInvalid(AgentInvalid):
    """A name has letters, digits and the signs . _ @ - only, begins with a letter or digit, and has 64 characters at most."""


class AgentExists(AgentInvalid):
    """There is somebody of this name already."""

    status = 409


class TitleInvalid(AgentInvalid):
    """What customers read as the person's name has 1 to 80 characters."""


class RoleUnknown(AgentInvalid):
    """A role is agent, trainer, supervisor or admin."""


class CapacityInvalid(AgentInvalid):
    """The requests that are given to a person at the same time are 0 to 100."""


class TelegramIdInvalid(AgentInvalid):
    """A Telegram id is the number of a user, not a name."""


class TelegramIdTaken(AgentInvalid):
    """Another person has this Telegram id."""

    status = 409


class NotYourself(Refused):
    """Nobody disables their own account or takes the role of administrator from it."""


class OidcUnavailable(FirstlineError):
    """The company's own sign-in does not answer."""

    status = 503


class OidcRefused(FirstlineError):
    """The company's own sign-in does not vouch for this person."""

    status = 401


# -------------------------------------------------------------------------------------------------- outside systems' calls
class KeyRefused(FirstlineError):
    """The call needs a valid API key: Authorization: Bearer …"""

    status = 401


class KeyExists(FirstlineError):
    """There is an API key of this name already."""

    status = 409


class KeyUnknown(FirstlineError):
    """There is no API key of this name."""

    status = 404


class RoleRefused(FirstlineError):
    """The person in whose name this key works may read requests, but not work on them."""

    status = 403


class RequestUnknown(FirstlineError):
    """There is no such request, or it is not this key's to see."""

    status = 404


class TooManyCalls(FirstlineError):
    """This key makes too many calls. `after`: seconds until the next one."""

    status = 429

    def __init__(self, message: str | None = None, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class CallInHand(FirstlineError):
    """A call with this Idempotency-Key is in hand at this moment: repeat it in a second."""

    status = 409
    after = 1.0


class CallDiffers(FirstlineError):
    """This Idempotency-Key belongs to another call."""

    status = 409
