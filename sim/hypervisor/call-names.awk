# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads Xen's public headers. Writes the names of the hypercalls' subcommands as initialisers of an array. The index
# in this array is an enum call.
BEGIN {
    # For each family: prefix in the header, prefix of the name, number of the first call, count.
    split("XEN_DOMCTL_ domctl. CALL_DOMCTL 128 XEN_SYSCTL_ sysctl. CALL_SYSCTL 64 XENMEM_ memory_op. CALL_MEMORY 64 " \
          "EVTCHNOP_ event_channel_op. CALL_EVTCHN 32 SCHEDOP_ sched_op. CALL_SCHED 32 HVMOP_ hvm_op. CALL_HVM 64 " \
          "XENVER_ xen_version. CALL_VERSION 32 __HYPERVISOR_ - CALL_HYPERCALL 64", family)
    # Constants whose names begin like those of subcommands.
    other = "^((XEN_DOMCTL|XEN_SYSCTL|HVMOP|XENMEM)_[A-Z]|XEN_SYSCTL_cpu_(featureset|policy)_|" \
            "XEN_DOMCTL_vmtrace_(enable|disable|reset|get_|set_|output)|" \
            "XENMEM_((paging|access|sharing)_op_|resource_|rsv)|HVMOP_altp2m_|__HYPERVISOR_(arch|.*_compat$))"
}
$1 == "#define" && $3 ~ /^[0-9]+$/ && $2 !~ other {
    for (i = 1; i in family; i += 4)
        if (index($2, family[i]) == 1 && $3 + 0 < family[i + 3]) {
            prefix = family[i + 1] == "-" ? "" : family[i + 1]
            # A header defines constants for arguments before its subcommands, so the last definition is the right one.
            name["[" family[i + 2] " + " $3 "]"] = prefix substr($2, length(family[i]) + 1)
        }
}
END {
    for (number in name)
        printf "%s = \"%s\",\n", number, name[number]
}
