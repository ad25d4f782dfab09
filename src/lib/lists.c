/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that list domains, devices, cpupools and processors, and the functions that free
 * these lists. Each function that makes a list runs an operation of this library; the others only free memory. Own
 * nothing: the arrays belong to the caller. Any thread may call these functions, without the context's lock.
 */
#include "ops.h"

/*
 * Defines the function FREE, which frees an array of ELEMENT. LIST is the type of the operation's result. Its members
 * ELEMENTS and COUNT are the array and its length.
 */
#define FREES(FREE, ELEMENT, NUMBER, LIST, ELEMENTS, COUNT)                                                  \
    void FREE(ELEMENT *list, NUMBER count)                                                                   \
    {                                                                                                        \
        LIST##_dispose(&(LIST){.ELEMENTS = list, .COUNT = (int)count});                                      \
    }

/*
 * Defines the function GET, which returns an array of ELEMENT, and FREE. `call` runs the operation, which stores its
 * result in `found`.
 */
#define LISTS(GET, FREE, ELEMENT, LIST, ELEMENTS, COUNT, call)                                               \
    ELEMENT *GET(libxl_ctx *ctx, int *count)                                                                 \
    {                                                                                                        \
        LIST found;                                                                                          \
        *count = 0;                                                                                          \
        if (call)                                                                                            \
            return NULL;                                                                                     \
        *count = found.COUNT;                                                                                \
        return found.ELEMENTS;                                                                               \
    }                                                                                                        \
    FREES(FREE, ELEMENT, int, LIST, ELEMENTS, COUNT)

/* The headers have libxl's names of the parameters, which differ from function to function. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
LISTS(libxl_list_domain, libxl_dominfo_list_free, libxl_dominfo, libxl_dominfo_list, domains, num_domains,
      libxl_domain_list(ctx, &found, NULL))
LISTS(libxl_list_cpupool, libxl_cpupoolinfo_list_free, libxl_cpupoolinfo, libxl_cpupool_list, pools,
      num_pools, libxl_host_list_cpupools(ctx, &found, NULL))
LISTS(libxl_get_cpu_topology, libxl_cputopology_list_free, libxl_cputopology, libxl_cputopology_list, cpus,
      num_cpus, libxl_host_cpu_topology(ctx, &found, NULL))
LISTS(libxl_get_numainfo, libxl_numainfo_list_free, libxl_numainfo, libxl_numainfo_list, nodes, num_nodes,
      libxl_host_numa(ctx, &found, NULL))
LISTS(libxl_get_pci_topology, libxl_pcitopology_list_free, libxl_pcitopology, libxl_pcitopology_list, devices,
      num_devices, libxl_host_pci_topology(ctx, &found, NULL))

FREES(libxl_vcpuinfo_list_free, libxl_vcpuinfo, int, libxl_vcpu_list, vcpus, num_vcpus)
FREES(libxl_psr_hw_info_list_free, libxl_psr_hw_info, unsigned, libxl_psr_hw_info_list, sockets, num_sockets)
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
