"""The scenarios, by subject; importing this registers all of them, in this order."""

from . import (reachability, nat, hostile, fragments, policy, inspection, rulesets, events, applications, evasion, coexistence, lifecycle, change, runtime, start_errors, tunnels, ovs,
               underlay6, variants, ports, health, names)
