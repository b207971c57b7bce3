"""What can go wrong with people, sessions, links and keys; `errors` draws the whole tree."""

from owner.models.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable


class SignInRejected(Unauthenticated):
    """The e-mail or the password is wrong."""

    code = "sign_in_rejected"


class SecondFactorRequired(Unauthenticated):
    """Send the six digits of your authenticator, or a recovery code, as `totp_code` too."""

    code = "second_factor_required"


class PasswordGuessable(InvalidInput):
    """Somebody would guess this password: it is well known, or made of what is known about you; take a longer one."""

    code = "password_guessable"


class PasswordWrong(Forbidden):
    """The current password is wrong."""

    code = "password_wrong"


class CodeRejected(Forbidden):
    """The code is wrong, or it was used already; wait for the next one."""

    code = "code_rejected"


class UserNotFound(NotFound):
    """There is no such person."""

    code = "user_not_found"


class SessionNotFound(NotFound):
    """There is no such session, or it is over."""

    code = "session_not_found"


class ApiKeyNotFound(NotFound):
    """There is no such API key."""

    code = "api_key_not_found"


class LinkNotFound(NotFound):
    """The link is not valid: it was used already, is too old, or was replaced by a newer one."""

    code = "link_not_found"


class LastAdmin(Conflict):
    """This is the last active ADMIN: make somebody else one first."""

    code = "last_admin"


class InvitationAccepted(Conflict):
    """The person has chosen a password already; if they forgot it, they can ask for a reset link."""

    code = "invitation_accepted"


class OwnerChoiceRequired(Conflict):
    """The e-mail and the password are right for several companies: name one as `owner_id`."""

    code = "owner_choice_required"


class ApiKeyEnded(Conflict):
    """The key is revoked or expired; make a new one."""

    code = "api_key_ended"


class SecondFactorActive(Conflict):
    """A second factor is active; disable it before another one is set up."""

    code = "second_factor_active"


class SecondFactorMissing(Conflict):
    """No second factor was set up."""

    code = "second_factor_missing"


class MailNotSent(Unavailable):
    """The mail server did not take the e-mail."""

    code = "mail_not_sent"
