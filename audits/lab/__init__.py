"""The lab: a school's network of hosts with real systemd in one Samba domain, on one machine, as root.

The launcher only makes places (name spaces, layered root file systems, first keys) and starts them; everything
inside the hosts is configured by Ansible over SSH from `inventories/lab` and `playbooks`. After the build each host's
own layer is frozen as its golden layer, so starting is fast and a reset drops one layer. No link to the machine's own
network is made; the one thing of the machine that is changed is a higher limit of file watchers.

`commands` holds what the command line calls; `python -m audits.lab up` works on its own.
"""
