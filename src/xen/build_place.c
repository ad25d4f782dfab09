/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses the NUMA nodes for the memory of a new domain, and the processors for its vcpus. Called before the
 * domain's memory is filled.
 *
 * The domain is placed automatically if the host has several nodes and the configuration names neither nodes
 * nor processors. xl-numa-placement(7) describes the rules. The smallest set of nodes with enough free memory
 * and enough processors is chosen. If one node is enough, the node with the fewest vcpus of other domains is
 * chosen. If several nodes have equally few, the node with the most free memory is chosen. If one node is not
 * enough, the nodes with the most free memory are chosen. The domain's vcpus prefer the processors of the
 * chosen nodes (soft affinity). A domain that does not fit is not placed.
 *
 * Owns: nothing; each function frees what it allocates. Called on the build's worker, unlocked.
 */
#include "build_parts.h"
#include "hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

static int fail(libxl__builder *b, const char *what)
{
    return libxl__build_fail_errno(b->build, LIBXL__CALL_SETTING, what);
}

/* Copies a bitmap to a bitmap of libxenctrl, which has `size` octets. Bits that do not fit are ignored. */
static void bitmap_to(uint8_t *map, int size, const libxl_bitmap *from)
{
    memset(map, 0, (size_t)size);
    memcpy(map, from->map, from->size < (uint32_t)size ? from->size : (size_t)size);
}

static int set_nodes(libxl__builder *b, const libxl_bitmap *nodes)
{
    const int size = xc_get_nodemap_size(b->xch);
    xc_nodemap_t map = size > 0 ? calloc(1, (size_t)size) : NULL;
    if (!map)
        return fail(b, "d_config.b_info.nodemap");
    bitmap_to(map, size, nodes);
    const int rc =
        xc_domain_node_setaffinity(b->xch, b->build->domid, map) ? fail(b, "d_config.b_info.nodemap") : 0;
    free(map);
    return rc;
}

/*
 * Sets one affinity of a vcpu. An empty set of processors means that the configuration does not set this
 * affinity.
 */
static int set_affinity(libxl__builder *b, int vcpu, const libxl_bitmap *cpus, uint32_t flag,
                        const char *field)
{
    if (!cpus->size)
        return 0;
    const int size = xc_get_cpumap_size(b->xch);
    xc_cpumap_t map = size > 0 ? calloc(1, (size_t)size) : NULL;
    if (!map)
        return fail(b, field);
    bitmap_to(map, size, cpus);
    const bool hard = flag == XEN_VCPUAFFINITY_HARD;
    const int rc =
        xc_vcpu_setaffinity(b->xch, b->build->domid, vcpu, hard ? map : NULL, hard ? NULL : map, flag)
            ? fail(b, field)
            : 0;
    free(map);
    return rc;
}

static int set_affinities(libxl__builder *b, const libxl_domain_build_info *info)
{
    int rc = 0;
    for (int i = 0; !rc && info->cpumap.size && i < info->max_vcpus; i++)
        rc = set_affinity(b, i, &info->cpumap, XEN_VCPUAFFINITY_HARD, "d_config.b_info.cpumap");
    for (int i = 0; !rc && i < info->num_vcpu_hard_affinity; i++)
        rc = set_affinity(b, i, &info->vcpu_hard_affinity[i], XEN_VCPUAFFINITY_HARD,
                          "d_config.b_info.vcpu_hard_affinity");
    for (int i = 0; !rc && i < info->num_vcpu_soft_affinity; i++)
        rc = set_affinity(b, i, &info->vcpu_soft_affinity[i], XEN_VCPUAFFINITY_SOFT,
                          "d_config.b_info.vcpu_soft_affinity");
    return rc;
}

/* ---- automatic placement */

typedef struct node {
    unsigned number, cpus;
    uint64_t free_kb;
    unsigned vcpus; /* the number of vcpus of other domains with memory on this node */
    bool chosen;
} node;

typedef struct host {
    unsigned nodes, cpus;
    node *node;
    xc_meminfo_t *memory;
    xc_cputopo_t *cpu;
} host;

static void free_host(host *h)
{
    free(h->node);
    free(h->memory);
    free(h->cpu);
}

/* Gets the host's nodes and processors from the hypervisor. Returns true, or false with errno. */
static bool look_at_host(libxl__builder *b, host *h)
{
    *h = (host){0};
    if (xc_numainfo(b->xch, &h->nodes, NULL, NULL) || xc_cputopoinfo(b->xch, &h->cpus, NULL))
        return false;
    h->node = calloc(h->nodes + 1, sizeof(*h->node));
    h->memory = calloc(h->nodes + 1, sizeof(*h->memory));
    h->cpu = calloc(h->cpus + 1, sizeof(*h->cpu));
    if (!h->node || !h->memory || !h->cpu || xc_numainfo(b->xch, &h->nodes, h->memory, NULL) ||
        xc_cputopoinfo(b->xch, &h->cpus, h->cpu))
        return false;
    for (unsigned i = 0; i < h->nodes; i++) {
        h->node[i].number = i;
        h->node[i].free_kb = h->memory[i].memsize == XEN_INVALID_MEM_SZ ? 0 : h->memory[i].memfree / 1024;
    }
    for (unsigned i = 0; i < h->cpus; i++)
        if (h->cpu[i].node < h->nodes)
            h->node[h->cpu[i].node].cpus++;
    return true;
}

/*
 * Counts the vcpus of all other domains, for each node. A domain that disappears during the count is not
 * counted. Returns true, or false with errno.
 */
static bool count_vcpus(libxl__builder *b, host *h)
{
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    const int size = xc_get_nodemap_size(b->xch);
    xc_nodemap_t map = size > 0 ? calloc(1, (size_t)size) : NULL;
    int got = 0;
    for (uint32_t first = 0; map; first = page[got - 1].domain + 1u) {
        got = xc_domain_getinfolist(b->xch, first, LIBXL__HV_PAGE, page);
        for (int i = 0; i < got; i++)
            if (page[i].domain != b->build->domid && !xc_domain_node_getaffinity(b->xch, page[i].domain, map))
                for (unsigned n = 0; n < h->nodes && (int)(n / 8) < size; n++)
                    h->node[n].vcpus += map[n / 8] >> n % 8 & 1 ? page[i].nr_online_vcpus : 0;
        if (got < LIBXL__HV_PAGE)
            break;
    }
    free(map);
    return map && got >= 0;
}

static int compare(const void *a, const void *b)
{
    const node *x = a, *y = b;
    return x->free_kb != y->free_kb ? (x->free_kb < y->free_kb ? 1 : -1) : (int)x->number - (int)y->number;
}

static node *best_single(const host *h, uint64_t kb, unsigned vcpus)
{
    node *best = NULL;
    for (unsigned i = 0; i < h->nodes; i++) /* the node with the most free memory comes first */
        if (h->node[i].free_kb >= kb && h->node[i].cpus >= vcpus && (!best || h->node[i].vcpus < best->vcpus))
            best = &h->node[i];
    return best;
}

/*
 * Chooses the nodes. Returns true if nodes were chosen. Returns false if the domain fits only on all nodes
 * together or does not fit at all.
 */
static bool choose(host *h, uint64_t kb, unsigned vcpus)
{
    qsort(h->node, h->nodes, sizeof(*h->node), compare);
    node *single = best_single(h, kb, vcpus);
    if (single)
        return single->chosen = true;
    uint64_t free_kb = 0;
    unsigned cpus = 0;
    for (unsigned i = 0; i + 1 < h->nodes; i++) {
        h->node[i].chosen = true;
        free_kb += h->node[i].free_kb;
        cpus += h->node[i].cpus;
        if (free_kb >= kb && cpus >= vcpus)
            return true;
    }
    return false;
}

static bool is_chosen(const host *h, unsigned number)
{
    for (unsigned i = 0; i < h->nodes; i++)
        if (h->node[i].number == number)
            return h->node[i].chosen;
    return false;
}

/*
 * Sets the domain's node affinity to the chosen nodes, and the vcpus' soft affinities to the processors of
 * these nodes.
 */
static int apply(libxl__builder *b, const host *h)
{
    libxl_bitmap nodes = {.size = 0}, cpus = {.size = 0};
    int rc = libxl_bitmap_alloc(NULL, &nodes, (int)h->nodes);
    if (!rc)
        rc = libxl_bitmap_alloc(NULL, &cpus, (int)h->cpus);
    if (rc)
        rc = libxl__build_fail(b->build, rc, "no memory for the placement");
    for (unsigned i = 0; !rc && i < h->nodes; i++)
        if (is_chosen(h, i))
            libxl_bitmap_set(&nodes, (int)i);
    for (unsigned i = 0; !rc && i < h->cpus; i++)
        if (is_chosen(h, h->cpu[i].node))
            libxl_bitmap_set(&cpus, (int)i);
    if (!rc)
        rc = set_nodes(b, &nodes);
    for (int i = 0; !rc && i < b->build->config->b_info.max_vcpus; i++)
        rc = set_affinity(b, i, &cpus, XEN_VCPUAFFINITY_SOFT, "d_config.b_info.numa_placement");
    libxl_bitmap_dispose(&nodes);
    libxl_bitmap_dispose(&cpus);
    return rc;
}

static int place(libxl__builder *b)
{
    host h;
    int rc = look_at_host(b, &h) && count_vcpus(b, &h) ? 0 : fail(b, "d_config.b_info.numa_placement");
    if (!rc && choose(&h, b->build->target_kb, (unsigned)b->build->config->b_info.max_vcpus))
        rc = apply(b, &h);
    free_host(&h);
    return rc;
}

int libxl__build_place(libxl__builder *b)
{
    const libxl_domain_build_info *info = &b->build->config->b_info;
    const bool pinned = info->cpumap.size || info->num_vcpu_hard_affinity || info->num_vcpu_soft_affinity;
    const bool automatic =
        libxl_defbool_is_default(info->numa_placement) || libxl_defbool_val(info->numa_placement);
    int rc = 0;
    if (info->nodemap.size)
        rc = set_nodes(b, &info->nodemap);
    else if (!pinned && automatic && b->nodes > 1)
        rc = place(b);
    return rc ? rc : set_affinities(b, info);
}
