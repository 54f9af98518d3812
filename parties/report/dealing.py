"""Who deals in a study, and what that participant can and cannot see: the same words everywhere."""

from __future__ import annotations

from mpc.accounting.event import Noise
from mpc.plan.model import Plan
from mpc.roster import Member, Roster, dealer_colleagues
from mpc.study.spelling import listed
from parties.report.figures import epsilon_text

DEALER_SEES = (
    "The dealer holds no data. It sees who takes part, the plan and the random masks that it deals;"
    " it sees no row and nothing that the parties open among themselves, and is sent no result."
)
DEALER_POOLS = (
    "The dealer together with any one party reads everything that is compared, so it must collude"
    " with nobody."
)


def dealer_plain(plan: Plan) -> dict[str, object] | None:
    """Who deals, for which questions, what that means, a warning or ""; None without a dealer."""
    dealer = plan.roster.dealer
    if dealer is None:
        return None
    return {
        "id": dealer.id,
        "organization": dealer.organization,
        "fingerprint": dealer.fingerprint,
        "questions": list(plan.study.dealt_questions),
        "noises": [noise.value for noise in plan.noises if noise is not Noise.OWN],
        "sees": DEALER_SEES,
        "pools": f"{DEALER_POOLS} {dealer_losses(plan)}".rstrip(),
        "shares_organization_with": [each.id for each in dealer_colleagues(plan.roster)],
        "warning": dealer_warning(plan.roster),
    }


def dealt_for(plan: Plan) -> tuple[str, ...]:
    """What the dealer is there for: questions by name, and ``noise`` where it has a part in it."""
    has_noise = any(noise is not Noise.OWN for noise in plan.noises)
    return (*plan.study.dealt_questions, *(("noise",) if has_noise else ()))


def dealer_losses(plan: Plan) -> str:
    """What ε the fewest and the most parties leave that pool with the dealer; "" without one."""
    losses = [loss for loss in plan.coalitions if loss.dealer]
    if not losses:
        return ""
    if any(loss.epsilon is None for loss in losses):
        return "Together they know the joint noise, and read the results without it."
    ends = losses[:1] + losses[1:][-1:]
    figures = [
        f"{epsilon_text(loss.epsilon)} with {_parties(loss.parties)}"
        for loss in ends
        if loss.epsilon is not None
    ]
    return f"Noise is in what they read: to the dealer ε is {' and '.join(figures)}."


def _parties(count: int) -> str:
    return "1 party" if count == 1 else f"{count} parties"


def dealer_text(dealer: Member) -> str:
    """``dealing-house (Dealing House Ltd)``."""
    return f"{dealer.id} ({dealer.organization})"


def dealer_warning(roster: Roster) -> str:
    """What to beware of where the dealer's organization is a participant's too; "" if it is not."""
    dealer, colleagues = roster.dealer, dealer_colleagues(roster)
    if dealer is None or not colleagues:
        return ""
    who = listed(member.id for member in colleagues)
    return (
        f"The dealer {dealer.id} is of the same organization as {who} ({dealer.organization}):"
        " nothing but that organization's word keeps what it deals from a party, and the dealer"
        " together with any one party reads everything that is compared."
    )
