/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hammer live COUNT: creates COUNT domains, finds all of them in one list, and destroys them. hammer threads
 * COUNT ROUNDS: COUNT threads create, use and destroy ROUNDS domains each. Both commands fail unless the
 * machine has the same free memory and the same number of domains at the end as at the start. The last
 * argument `shared` turns this check off, because other processes also use the machine.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenguest.h>
#include <xenstore.h>

#undef NDEBUG
#define RING_GFN 0xfeffc

/* Guards xs_open(), which uses a static buffer. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static int rounds;

static uint32_t create(xc_interface *xch)
{
    struct xen_domctl_createdomain config = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                                             .max_vcpus = 1,
                                             .max_evtchn_port = 1023,
                                             .grant_opts = 1};
    xen_pfn_t gfns[] = {0, 1, 5, RING_GFN};
    uint32_t domid = 0;
    assert(!xc_domain_create(xch, &domid, &config));
    assert(!xc_domain_setmaxmem(xch, domid, 64));
    assert(!xc_domain_populate_physmap_exact(xch, domid, sizeof gfns / sizeof *gfns, 0, 0, gfns));
    return domid;
}

static void use_memory(uint32_t domid)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfns[] = {5, 7, 1};
    int errors[3];
    assert(fmem);
    char *map = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 3, gfns, errors);
    assert(map && !errors[0] && errors[1] && !errors[2]);
    for (int i = 0; i < (int)XC_PAGE_SIZE; i++)
        assert(!map[i]); /* The hypervisor has zeroed the frames. */
    memset(map, domid, XC_PAGE_SIZE);
    memset(map + 2 * XC_PAGE_SIZE, domid, XC_PAGE_SIZE);
    assert(!xenforeignmemory_unmap(fmem, map, 3));
    assert(!xenforeignmemory_close(fmem));
}

static void use_channels(uint32_t domid)
{
    xenevtchn_handle *xce = xenevtchn_open(NULL, 0);
    assert(xce);
    int port = xenevtchn_bind_unbound_port(xce, domid);
    assert(port > 0 && !xenevtchn_notify(xce, port) && !xenevtchn_unbind(xce, port));
    assert(xenevtchn_unbind(xce, port) < 0);
    assert(!xenevtchn_close(xce));
}

static void live_once(xc_interface *xch, struct xs_handle *xsh)
{
    uint32_t domid = create(xch);
    int port = xc_evtchn_alloc_unbound(xch, domid, 0);
    assert(port > 0 && !xc_dom_gnttab_seed(xch, domid, true, 0, RING_GFN, 0, 0));
    assert(xs_introduce_domain(xsh, domid, RING_GFN, port));
    use_memory(domid);
    use_channels(domid);
    assert(!xc_domain_unpause(xch, domid) && !xc_domain_pause(xch, domid));
    assert(!xc_domain_destroy(xch, domid));
}

static void *run(void *unused)
{
    pthread_mutex_lock(&opening);
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    struct xs_handle *xsh = xs_open(0);
    pthread_mutex_unlock(&opening);
    assert(xch && xsh);
    for (int i = 0; i < rounds; i++)
        live_once(xch, xsh);
    xs_close(xsh);
    xc_interface_close(xch);
    return unused;
}

static void with_threads(int count)
{
    pthread_t threads[count];
    for (int i = 0; i < count; i++)
        assert(!pthread_create(&threads[i], NULL, run, NULL));
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void all_alive(xc_interface *xch, int count)
{
    uint32_t *domids = calloc(count, sizeof *domids);
    xc_domaininfo_t *list = calloc(count + 2, sizeof *list);
    for (int i = 0; i < count; i++)
        domids[i] = create(xch);
    assert(xc_domain_getinfolist(xch, 0, count + 2, list) == count + 1);
    for (int i = 0; i < count; i++)
        assert(list[i + 1].domain > list[i].domain && list[i + 1].tot_pages == 4);
    for (int i = 0; i < count; i++)
        assert(!xc_domain_destroy(xch, domids[i]));
    free(domids);
    free(list);
}

static uint64_t free_pages(xc_interface *xch)
{
    xc_physinfo_t info = {0};
    assert(!xc_physinfo(xch, &info));
    return info.free_pages;
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t list[2];

    assert(xch && argc >= 3);
    uint64_t before = free_pages(xch);
    rounds = argc > 3 ? atoi(argv[3]) : 0;
    if (rounds)
        with_threads(atoi(argv[2]));
    else
        all_alive(xch, atoi(argv[2]));
    if (argc > 4) {
        xc_interface_close(xch);
        return 0;
    }
    for (int i = 0; i < 2000 && xc_domain_getinfolist(xch, 0, 2, list) != 1; i++)
        usleep(1000); /* Waits until the last domains are gone. */
    assert(xc_domain_getinfolist(xch, 0, 2, list) == 1);
    assert(free_pages(xch) == before);
    xc_interface_close(xch);
    return 0;
}
