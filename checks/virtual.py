"""Checks of virtual machines: what the host runs on, and whether the guest tools run."""

from __future__ import annotations

from checks.core import Expectation, Outcome, Scope, check, failed, kind, not_applicable, passed
from checks.facts.units import Units
from checks.facts.virtual import Virtualisation

TOOLS = {
    "vmware": ("open-vm-tools.service", "vmtoolsd.service"),
    "kvm": ("qemu-guest-agent.service",),
    "qemu": ("qemu-guest-agent.service",),
    "microsoft": ("hv-kvp-daemon.service", "hypervkvpd.service", "hv_kvp_daemon.service"),
    "oracle": ("virtualbox-guest-utils.service", "vboxadd-service.service", "vboxservice.service"),
    "xen": ("xe-linux-distribution.service", "xe-daemon.service"),
}
"""Units of the guest tools by hypervisor, on Debian and on the RHEL family."""


@kind("virtual", Scope.HOST, many=False)
class Virtual(Expectation):
    """What the host runs on."""

    type: str | tuple[str, ...] | None = None
    """Word of systemd-detect-virt, or a list of allowed ones: kvm, vmware, microsoft, oracle, lxc …; none: hardware."""
    product: str | None = None
    """Part of the product name that the firmware tells."""
    tools: bool | None = None
    """Whether the guest tools of this hypervisor run."""


@check("type")
def host_runs_on_what_is_declared(virtualisation: Virtualisation, want: Virtual) -> Outcome:
    """Whether it is a guest of the declared kind (or no guest)."""
    types = (want.type,) if isinstance(want.type, str) else want.type or ()
    note = f"{virtualisation.vendor} {virtualisation.product}".strip() or None
    expected = types[0] if len(types) == 1 else {"one_of": sorted(types)}
    return (passed if virtualisation.type in types else failed)(virtualisation.type, expected, note=note)


@check("product")
def product_is_as_declared(virtualisation: Virtualisation, want: Virtual) -> Outcome:
    """Whether vendor or product name hold the declared text, in any case."""
    seen = f"{virtualisation.vendor} {virtualisation.product}".strip()
    good = str(want.product).lower() in seen.lower()
    return (passed if good else failed)(seen, {"contains": want.product})


@check("tools")
def guest_tools_run(virtualisation: Virtualisation, units: Units, want: Virtual) -> Outcome:
    """Whether the tools of its hypervisor run: without them it cannot shut the guest down or freeze it for a backup."""
    names = TOOLS.get(virtualisation.type)
    if names is None:
        return not_applicable(virtualisation.type)
    unit = units.find(*names)
    running = unit is not None and unit.running
    observed = {"running": running, "exists": unit is not None}
    return (passed if running == want.tools else failed)(
        observed, {"running": want.tools}, note=unit.name if unit else names[0]
    )
