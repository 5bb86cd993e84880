"""A diagnosis in a few words."""

from collections.abc import Iterable

from hopfield_service.core.diagnostics import Stability
from hopfield_service.core.learning import LearningOutcome


def verdict(
    rule: str,
    load: float,
    capacity: float | None,
    remark: str,
    stability: Stability | None,
    correlated: bool | None,
    outcome: LearningOutcome | None,
    without_self_coupling: Stability | None,
    trials: Iterable[tuple[str, Stability | None]],
) -> str:
    """What a network makes of its patterns, and which rule would make more of them.

    Args:
        rule: its learning rule.
        load: P / N.
        capacity: load up to which it holds random patterns; None where there is no rule.
        remark: what is to be said of the capacity, as it follows its number; "" for nothing.
        stability: of the patterns; None where nothing is stored.
        correlated: whether the patterns are; None where there are less than two.
        outcome: how learning ended, where the rule iterates.
        without_self_coupling: their stability if the neurons did not hold themselves; None where they do not.
        trials: other rules, and the stability of the patterns under each; tried only as far as needed.
    """
    name = {"hebbian": "Hebb", "imported": "imported weights"}.get(rule, rule)
    if stability is None:
        return f"{name}: no patterns to judge by" if capacity is None else f"{name}: nothing is stored"
    count, stable = stability.pattern_count, stability.stable_count
    kind = "" if correlated is None else "correlated " if correlated else "uncorrelated "
    plural, are = ("", "is") if count == 1 else ("s", "are")
    findings = [f"{name} with {count} {kind}pattern{plural}: {stable} of {count} {are} stable"]
    if outcome is not None and not outcome.converged:
        findings.append(f"learning did not converge in {outcome.sweeps} sweeps")
    if without_self_coupling is not None:
        findings.append(
            f"{without_self_coupling.stable_count} without self-coupling, which keeps any state where it is"
        )
    if stability.marginal_count:
        findings.append(f"{stability.marginal_count} of them in a field of zero, which holds any state where it is")
    if stability.held_count < count:
        findings.append(_better_rule(stability, trials))
    elif capacity is not None and load > capacity:
        findings.append(f"the load {load:.3f} is beyond the rule's capacity of {capacity:.3f}{remark}")
    else:
        findings.append(f"the smallest margin is {stability.smallest_margin:.3g}")
    return "; ".join(findings)


def _better_rule(present: Stability, trials: Iterable[tuple[str, Stability | None]]) -> str:
    """The first rule that holds all patterns, or the one that holds most.

    It holds more of them by their fields than today's, and no fewer than today's leaves as they are.
    """
    best, held, tried = "", present.held_count, []
    for rule, stability in trials:
        tried.append(rule)
        count = 0 if stability is None else stability.held_count
        if count == present.pattern_count:
            return f"{rule} would hold all {count}"
        if count > held and count >= present.stable_count:
            best, held = rule, count
    if best:
        return f"{best} would hold {held}"
    return f"no more are held by {' or '.join(tried)}" if tried else f"{present.held_count} are held by their fields"
