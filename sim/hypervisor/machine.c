/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the two files of a world, and this process's maps of them. Lock: machine->lock is robust. If a process
 * is killed while it holds the lock, the next process takes the lock and uses the state as it is.
 *
 * Lifetime: a process maps the files only once, also if several threads call machine_attach at the same time.
 * It never unmaps them.
 */
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 100 };

#define MAGIC 0x61696f78656e0001ull

struct machine *machine;
uint16_t *frame_owner;
uint8_t *frame_type;
uint64_t *m2p;
struct run *runs;
struct node *nodes;
int memory_fd = -1;
char world_dir[128];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int attach_errno;

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int result_of(long value)
{
    if (value >= 0)
        return value;
    errno = -value;
    return -1;
}

/*
 * Takes the lock. At first this function spins, like a hypervisor, for the time that most hypercalls take.
 * Then it sleeps, because the thread that holds the lock may be waiting for a processor.
 */
void machine_lock(void)
{
    int taken = EBUSY;
    for (int i = 0; i < SPINS && taken == EBUSY; i++) {
        taken = pthread_mutex_trylock(&machine->lock);
        if (taken == EBUSY)
            __builtin_ia32_pause();
    }
    if (taken == EBUSY)
        taken = pthread_mutex_lock(&machine->lock);
    if (taken == EOWNERDEAD)
        pthread_mutex_consistent(&machine->lock);
}

void machine_unlock(void)
{
    pthread_mutex_unlock(&machine->lock);
}

/*
 * The offsets of the tables that follow struct machine in its file, in the tables' order, and the size of the file.
 * They depend on the number of frames.
 */
struct layout {
    size_t owners, types, runs, nodes, size;
};

static struct layout layout_of(uint32_t nr_frames, uint32_t nr_runs, uint32_t nr_nodes)
{
    struct layout l;
    l.owners = (sizeof *machine + XC_PAGE_SIZE - 1) & XC_PAGE_MASK;
    l.types = l.owners + sizeof *frame_owner * (nr_frames + 1);
    l.types = (l.types + XC_PAGE_SIZE - 1) & XC_PAGE_MASK;
    l.runs = l.types + sizeof *frame_type * (nr_frames + 1);
    l.runs = (l.runs + XC_PAGE_SIZE - 1) & XC_PAGE_MASK;
    l.nodes = l.runs + sizeof *runs * nr_runs;
    l.nodes = (l.nodes + XC_PAGE_SIZE - 1) & XC_PAGE_MASK;
    l.size = l.nodes + sizeof *nodes * nr_nodes;
    return l;
}

static int open_in_world(const char *name, int flags)
{
    char path[sizeof world_dir + 16];
    snprintf(path, sizeof path, "%s/%s", world_dir, name);
    return open(path, O_RDWR | O_CLOEXEC | flags, 0600);
}

static void place_tables(struct layout l)
{
    frame_owner = (void *)((char *)machine + l.owners);
    frame_type = (void *)((char *)machine + l.types);
    runs = (void *)((char *)machine + l.runs);
    nodes = (void *)((char *)machine + l.nodes);
}

static bool map_machine(int fd, size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED)
        return false;
    machine = p;
    return true;
}

static bool map_m2p(uint32_t nr_frames)
{
    void *p = mmap(NULL, (size_t)m2p_frames(nr_frames) << XC_PAGE_SHIFT, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, memory_fd, (nr_frames + 1ll) << XC_PAGE_SHIFT);
    m2p = p;
    return p != MAP_FAILED;
}

static bool attach(void)
{
    const char *dir = getenv("AIOXEN_SIM_DIR");
    if (!dir) {
        errno = ENOENT;
        return false;
    }
    snprintf(world_dir, sizeof world_dir, "%s", dir);
    int fd = open_in_world("machine", 0);
    struct stat file;
    bool ok = fd >= 0 && !fstat(fd, &file) && map_machine(fd, file.st_size);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    if (!ok)
        return false;
    if (machine->magic != MAGIC) {
        errno = ENOENT;
        return false;
    }
    place_tables(layout_of(machine->nr_frames, machine->nr_runs, machine->nr_nodes));
    return (memory_fd = open_in_world("memory", 0)) >= 0 && map_m2p(machine->nr_frames);
}

static void attach_once(void)
{
    if ((!machine && !attach()) || !listeners_attach())
        attach_errno = errno;
    else {
        trace_open();
        fault_attach();
    }
}

bool machine_attach(void)
{
    pthread_once(&once, attach_once);
    errno = attach_errno;
    return !attach_errno;
}

static void power_on(void)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&machine->lock, &a);
    pthread_mutexattr_destroy(&a);

    machine->next_frame = 1;
    machine->next_run = machine->next_node = 1;
    machine->next_domid = 1;
    machine->nr_nodes_of_host = 1;
    machine->ratelimit_us = XEN_SYSCTL_SCHED_RATELIMIT_MIN * 10; /* the default of the hypervisor */
    machine->cpupools[0] = (struct cpupool){.used = true, .cpus = ALL_CPUS, .sched = XEN_SCHEDULER_CREDIT2};
    machine->next_serial = machine->next_listener = 1;
    machine->low_port = 1;

    struct domain *dom0 = &machine->domains[0];
    *dom0 = (struct domain){.state = DOMAIN_ALIVE,
                            .started = true,
                            .max_vcpus = NR_CPUS,
                            .online_vcpus = NR_CPUS,
                            .has_vcpus = true};
    vcpus_reset(dom0);
    dom0->max_pages = dom0->tot_pages = DOM0_PAGES;
    machine->slot_of[0] = machine->domids[0] = 1;
    machine->nr_domains = 1;
    domain_run(dom0, true);
    /* Makes the unbound event channel for xenstored, which the kernel of a real dom0 makes. */
    machine->dom0_ports[1] = (struct channel){.state = CHANNEL_UNBOUND};
    machine->top_port = 1;
    /* The magic number is set last, because other processes can attach as soon as it is set. */
    machine->magic = MAGIC;
}

static bool write_dom0_file(const char *name, const char *content, size_t size)
{
    int fd = open_in_world(name, O_CREAT);
    bool ok = fd >= 0 && !ftruncate(fd, size) && pwrite(fd, content, strlen(content), 0) >= 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

/* Writes what the kernel of a real dom0 shows in /proc/xen. */
static bool write_dom0_files(void)
{
    static const char controls[] = "control_d\n";
    return write_dom0_file("xsd_port", "1", 1) && write_dom0_file("xsd_kva", "", XC_PAGE_SIZE) &&
           write_dom0_file("capabilities", controls, sizeof controls - 1);
}

bool machine_create(const char *dir, uint64_t memory_mb, uint32_t capabilities)
{
    snprintf(world_dir, sizeof world_dir, "%s", dir);
    uint32_t frames = memory_mb << (20 - XC_PAGE_SHIFT);
    uint32_t nr_runs = frames + MAX_DOMAINS, nr_nodes = frames / (NODE_SLOTS / 2) + 8 * MAX_DOMAINS;
    struct layout l = layout_of(frames, nr_runs, nr_nodes);
    int fd = open_in_world("machine", O_CREAT | O_EXCL);
    memory_fd = open_in_world("memory", O_CREAT | O_EXCL);
    bool ok = fd >= 0 && memory_fd >= 0 && !ftruncate(fd, l.size) &&
              !ftruncate(memory_fd, (frames + 1ll + m2p_frames(frames)) << XC_PAGE_SHIFT) &&
              write_dom0_files() && map_machine(fd, l.size) && map_m2p(frames);
    int error = errno;
    close(fd);
    errno = error;
    if (!ok || getrandom(&machine->world, sizeof machine->world, 0) < 0)
        return false;
    place_tables(l);
    machine->nr_frames = machine->free_frames = frames;
    machine->capabilities = capabilities;
    machine->nr_runs = nr_runs;
    machine->nr_nodes = nr_nodes;
    power_on();
    return machine_attach();
}
