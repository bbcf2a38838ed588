"""The targets, as ratios of two figures of the same run, or as plain figures."""

from __future__ import annotations

from dataclasses import dataclass

Figures = dict[str, float]


@dataclass(frozen=True)
class Target:
    """A ratio that must not be larger than something, or not smaller.

    Attributes
    ----------
    ours, theirs : str
        Keys of the figures; the ratio is ours to theirs. `theirs` may be empty for a plain figure.
    """

    what: str
    ours: str
    theirs: str
    most: float | None = None
    least: float | None = None

    def measured(self, figures: Figures) -> bool:
        """Whether this run has both figures."""
        return self.ours in figures and (not self.theirs or self.theirs in figures)

    def value(self, figures: Figures) -> float:
        """The ratio."""
        return figures[self.ours] / (figures[self.theirs] if self.theirs else 1)


@dataclass(frozen=True)
class Finding:
    """What a run found of a target."""

    target: Target
    value: float

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        most, least = self.target.most, self.target.least
        return (most is None or self.value <= most) and (least is None or self.value >= least)


TARGETS = (
    Target("CT: 1/11 of dcmj2pnm", "CT/gurney", "CT/dcmj2pnm", most=1 / 11),
    Target("CT: 1/6 of the script", "CT/gurney", "CT/script", most=1 / 6),
    Target("CT: one more costs 1.4 of the floor", "marginal/gurney", "marginal/floor", most=1.4),
    Target("MR, 76 frames: 1/2.4 of dcmj2pnm", "MR/gurney", "MR/dcmj2pnm", most=1 / 2.4),
    Target("CR: 1/10 of dcmj2pnm", "CR/gurney", "CR/dcmj2pnm", most=1 / 10),
    Target("US cine: 1/5.5 of dcmj2pnm", "US/gurney", "US/dcmj2pnm", most=1 / 5.5),
    Target("JPEG-LS: 1/3.2 of dcmj2pnm", "JPEG-LS/gurney", "JPEG-LS/dcmj2pnm", most=1 / 3.2),
    Target("JPEG lossless: 1/3.2 of dcmj2pnm", "JPEG lossless/gurney", "JPEG lossless/dcmj2pnm", most=1 / 3.2),
    Target("JPEG 2000: 12 % above the decoder", "decoder/gurney", "decoder/alone", most=1.12),
    Target("two workers, JPEG 2000: 1.6 times", "workers/JPEG 2000/1", "workers/JPEG 2000/2", least=1.6),
    *(
        Target(f"two workers, {n}: 1.3 times", f"workers/{n}/1", f"workers/{n}/2", least=1.3)
        for n in ("CT", "CR", "MR", "US", "JPEG-LS", "JPEG lossless")
    ),
    Target("memory: many frames within 30 % of few", "memory/many", "memory/few", most=1.3),
    Target("memory: under 200 MiB", "memory/many", "", most=200),
    *(
        Target(f"PNG size, {n}: 1.15 of Pillow 6", f"size/{n}/gurney", f"size/{n}/pillow", most=1.15)
        for n in ("CT", "MR", "CR", "US")
    ),
    *(
        Target(f"--small size, {n}: 1.0 of Pillow 6", f"size/{n}/small", f"size/{n}/pillow", most=1.0)
        for n in ("CT", "MR", "CR", "US")
    ),
    *(
        Target(f"--small time, {n}: below Pillow 6", f"size/{n}/small/s", f"size/{n}/pillow/s", most=1.0)
        for n in ("CT", "MR", "CR", "US")
    ),
    Target("one small file: 1.5 of importing", "startup/file", "startup/imports", most=1.5),
    Target("--help: 1.3 of importing click", "startup/help", "startup/click", most=1.3),
    Target("plan, 200 branches: calls", "provisioning/plan calls/many", "", most=20),
    Target("plan: calls of 200 to those of 1", "provisioning/plan calls/many", "provisioning/plan calls/few", most=1),
    Target("plan, 200 branches: CPU seconds", "provisioning/plan cpu/many", "", most=2),
    Target("apply, 50: calls to the fewest", "provisioning/apply calls", "provisioning/apply calls/fewest", most=1),
    Target(
        "apply, 50: wall to what delay allows, 17 ms as recorded",
        "provisioning/apply wall/recorded",
        "provisioning/apply bound/recorded",
        most=1.3,
    ),
    Target(
        "apply, 50: wall to what delay allows, 2 ms", "provisioning/apply wall", "provisioning/apply bound", most=1.3
    ),
    Target("Ansible one_*, making: 10 times", "one_modules/made/ansible", "one_modules/made/gurney", least=10),
    Target("Ansible one_*, nothing to do: 10 times", "one_modules/again/ansible", "one_modules/again/gurney", least=10),
    Target("image: seconds to build, all cached", "image/build s", "", most=240),
    Target("image: MB", "image/MB", "", most=350),
    Target("boot: service to ssh", "boot/service_to_ssh", "", most=1.6),
    Target("boot: MiB used at rest", "boot/memory_mib", "", most=300),
)


def table(findings: list[Finding]) -> str:
    """A line a target: what it asks, what was found, whether it holds."""
    lines = [f"{'target':44}{'asked':>10}{'found':>10}"]
    for finding in findings:
        target = finding.target
        asked = f"<= {target.most:.3g}" if target.most is not None else f">= {target.least:.3g}"
        verdict = "" if finding.holds else "  MISSED"
        lines.append(f"{target.what:44}{asked:>10}{finding.value:>10.3g}{verdict}")
    return "\n".join(lines)
