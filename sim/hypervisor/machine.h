/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated machine: the state that all parts of the simulated hypervisor share.
 *
 * A world is a directory (AIOXEN_SIM_DIR) with two files that every process of the world maps. The file
 * `machine` contains struct machine and the tables that follow it. The file `memory` is sparse; its byte
 * number n is byte number n of the machine's memory.
 *
 * Lock: machine->lock protects everything in struct machine. It is a robust mutex that all processes share.
 * The caller of a function must hold the lock, unless the function's comment says otherwise. No thread sleeps
 * while it holds the lock. Lifetime: a process maps the two files when it first uses them. The files stay
 * mapped until the process ends.
 */
#ifndef AIOXEN_SIM_MACHINE_H
#define AIOXEN_SIM_MACHINE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <xenctrl.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "calls.h"
#include "host.h"
#include "host_pci.h"

#define EXPORT __attribute__((visibility("default")))

#define MAX_DOMAINS   16384 /* the greatest number of domains at the same time */
#define MAX_LISTENERS 4096  /* the greatest number of open event channel handles, of all processes together */
#define MAX_FAULTS    64    /* the greatest number of rules for all processes */
#define DOM0_PORTS    65536
#define GUEST_PORTS   16
#define GRANT_FRAMES  4
/* The greatest number of CPUID leaves of a domain; libxenguest 4.17 accepts no other number. */
#define POLICY_LEAVES   120
#define POLICY_MSRS     16
#define HVM_CONTEXT_MAX 6144
#define DOM0_PAGES      131072
#define NR_CPUS         2
#define ALL_CPUS        ((1u << NR_CPUS) - 1)
#define ALL_NODES       ((1u << machine->nr_nodes_of_host) - 1)
#define AFFINITIES      128 /* the number of vcpus of a domain that can have their own affinity */
/* The first guest frame for which log-dirty mode notes writes, and the number of these frames; see log_dirty.c. */
#define DIRTY_FIRST 2048u
#define DIRTY_PAGES 2048u
#define NO_FRAME    0u /* the value that means no frame; frame 0 is never allocated */
/* An entry of the tree of guest frames. It means that the frame's memory is allocated at the first access. */
#define ON_DEMAND UINT32_MAX

enum channel_state { CHANNEL_FREE, CHANNEL_UNBOUND, CHANNEL_INTERDOMAIN, CHANNEL_VIRQ };

/*
 * One end of an event channel. Port 0 of a guest is not a real event channel. It is raised to notify the
 * process that simulates the guests that the domain has changed.
 */
struct channel {
    uint8_t state;
    uint8_t virq;
    bool masked, pending, queued;
    uint16_t remote_domid; /* the domain that may bind to an unbound channel */
    uint16_t listener;     /* the handle that gets a notification when the port is raised; 0: none */
    uint32_t remote_port;
    /* The key of the channel that is queued after this channel; 0: this channel is the last one. */
    uint32_t next;
};

/*
 * An open event channel handle. It has a datagram socket, and a queue of ports that are linked through their
 * channels. The socket contains one datagram while the queue is not empty, and no datagram while the queue is
 * empty.
 */
struct listener {
    bool used;
    pid_t pid;
    uint64_t id; /* the number in the socket's address */
    uint32_t head, tail;
};

/*
 * A run: consecutive frames that were allocated to one domain. Some of these frames may have been freed
 * since.
 */
struct run {
    uint32_t first, count;
    uint32_t next; /* the index of the domain's next run; 0: there is no next run */
};

/* A node of the tree that translates a domain's guest frames to machine frames. Each level uses 10 bits of the
 * guest frame number. */
#define NODE_BITS  10
#define NODE_SLOTS (1u << NODE_BITS)
#define TREE_LEVEL 3
struct node {
    uint32_t slot[NODE_SLOTS];
};

enum domain_state { DOMAIN_FREE, DOMAIN_ALIVE, DOMAIN_DYING };

/*
 * A holder: a process that maps memory of a domain by grants. A dying domain is freed only when no holder
 * maps its memory.
 */
#define MAX_HOLDERS 4
struct holder {
    pid_t pid;
    uint32_t maps;
};

/* NO_DRIVER: the guest is no driver domain. DRIVER_WITH_DAEMON: a driver domain whose kernel and hotplug daemon are
 * simulated. DRIVER_KERNEL: a driver domain of which only the kernel is simulated. */
enum driver { NO_DRIVER, DRIVER_WITH_DAEMON, DRIVER_KERNEL };

struct domain {
    /*
     * A listing of all domains reads only the fields from here to shared_info. These fields fill two cache
     * lines. `serial` is unique; a domid is not, because a later domain may get it.
     */
    _Alignas(64) uint64_t serial;
    uint16_t domid;
    uint8_t state;
    bool shut_down, started, running, debugged, address32, log_dirty, has_context;
    uint8_t shutdown_code;
    uint8_t driver; /* enum driver: what is simulated of a driver domain */
    uint32_t pause_count, flags, ssidref, cpupool;
    uint32_t max_vcpus, online_vcpus;
    bool has_vcpus; /* XEN_DOMCTL_max_vcpus has allocated the vcpus */
    xen_domain_handle_t handle;
    struct xen_arch_domainconfig arch;
    uint64_t max_pages, tot_pages, claimed;
    uint64_t run_since_ns, cpu_ns;
    uint32_t shared_info;
    /* The following fields are not read when domains are listed. */
    uint64_t max_gfn, gone_ns;
    uint64_t pod_entries, pod_cache; /* the pages without a frame, and the pool for them; see on_demand.c */
    /*
     * The number of pages that the guest has taken. A negative number: the pages that the guest has given
     * back.
     */
    int64_t ballooned;
    uint64_t paging_pool;
    uint32_t shadow_mb, tsc_mode;
    uint32_t soft_resets; /* the number of soft resets of the domain */
    uint32_t dirty_page;  /* a written page for which `dirty` has no bit (log_dirty.c); 0: none */
    /* When the domain is suspended, this port is raised instead of VIRQ_DOM_EXC; 0: none. */
    uint32_t subscribed;
    uint32_t max_port;    /* the highest port that is in use */
    uint16_t weight, cap; /* the parameters of the scheduler for this domain */
    uint8_t nodes;        /* the node affinity: one bit for each node */
    /* The triggers that were sent to the domain. Each XEN_DOMCTL_SENDTRIGGER_* has one bit. */
    uint32_t triggers;
    int32_t time_offset;
    uint64_t cr3, start_info; /* registers of vcpu 0 of a PV domain at the domain's start */
    uint32_t grant_frame[GRANT_FRAMES];
    uint32_t runs, tree;
    struct holder holders[MAX_HOLDERS];
    uint64_t hvm_params[HVM_NR_PARAMS];
    struct channel ports[GUEST_PORTS];
    /* The numbers of used elements of two arrays in struct domain_big. */
    uint32_t hvm_context_size, nr_leaves;
};

/*
 * Large fields that are seldom used. They are not part of struct domain, so that listing all domains reads
 * little memory.
 */
struct domain_big {
    char hvm_context[HVM_CONTEXT_MAX];
    xen_cpuid_leaf_t leaves[POLICY_LEAVES];
    uint8_t hard[AFFINITIES], soft[AFFINITIES]; /* the affinities of the vcpus; each processor has one bit */
    vcpu_guest_context_t context;               /* registers of a PV domain's vcpu 0; see has_context */
    uint8_t dirty[DIRTY_PAGES / 8];             /* the pages that were written; each page has one bit */
};

struct fault {
    uint32_t id;   /* the number of the rule; 0: this entry is free */
    uint16_t call; /* the call to which the rule applies, a value of enum call */
    pid_t pid;     /* the process whose calls are counted; 0: the rule applies to every process */
    int error;
    uint32_t delay_ms;
    /*
     * `seen`: the number of calls so far. The rule applies to the call number `first`, and then to every Nth call
     * until call number `last`. N is `every`.
     */
    uint64_t first, last, every;
    uint64_t seen, hits;
};

/*
 * The sides whose drivers can have a behaviour. struct behaviour says how a driver behaves. sim/devices and
 * sim/qemu read it. If several behaviours match a device, the last one applies.
 */
enum side { BACKEND = 1, FRONTEND = 2, QEMU = 4 };
enum conduct { PLAYS, MUTE, SLOW, FAILS, REFUSES, DELETES, DELETES_EARLY, NONSENSE, LIES, FORKS };
#define MAX_BEHAVIOURS 256
#define ANY_DOMAIN     UINT16_MAX
struct behaviour {
    uint8_t side, conduct;
    uint16_t domid;  /* the guest's domid, or ANY_DOMAIN */
    int32_t number;  /* the device's number; -1: any device */
    uint32_t amount; /* the argument of the behaviour: a time in ms, or a number of values */
    char kind[12];   /* the kind of the device; "": any kind */
    char text[72];
};

/* A cpupool. `cpus` has a bit for each processor. */
#define MAX_CPUPOOLS 8
struct cpupool {
    bool used;
    uint32_t id, cpus, sched;
};

struct machine {
    uint64_t magic, world;
    pthread_mutex_t lock;
    /* The set of XEN_SYSCTL_PHYSCAP_* of this machine: the capabilities that new domains may use. */
    uint32_t capabilities;
    uint32_t nr_frames, free_frames, next_frame;
    uint32_t nr_runs, next_run, free_run;
    uint32_t nr_nodes, next_node, free_node;
    uint32_t next_slot, nr_domains;
    uint16_t next_domid, top_domid;
    uint64_t next_serial, next_listener;
    /* The event channel handle of the process that simulates the guests; 0: there is no such process. */
    uint16_t player;
    /*
     * The process that simulates drivers; 0: there is no such process. The signal SIGUSR1 makes this process
     * look for new driver domains.
     */
    pid_t devices;
    uint32_t low_port, top_port;
    uint32_t virq_port[NR_VIRQS];
    uint32_t dying_ms, next_fault, nr_faults;
    uint32_t ratelimit_us; /* a parameter of the scheduler credit2 */
    /* The number of the host's NUMA nodes; processor N is on node N modulo this number. */
    uint32_t nr_nodes_of_host;
    struct cpupool cpupools[MAX_CPUPOOLS];
    uint64_t calls[NR_CALLS]; /* the number of calls of each kind; atomic, so the lock is not needed */
    struct fault faults[MAX_FAULTS];
    uint32_t nr_behaviours;
    struct behaviour behaviours[MAX_BEHAVIOURS];
    struct host host;
    /* The owners of PCI devices; domid 0: this entry is free. */
    struct pci_owner pci_owners[MAX_PCI];
    struct listener listeners[MAX_LISTENERS]; /* the table of event channel handles; index 0 is never used */
    /* The index, plus 1, of the domain with this domid; 0: no domain has the domid. */
    uint16_t slot_of[DOMID_FIRST_RESERVED];
    /* For each domid one bit, which is set if slot_of is not 0. */
    uint64_t domids[(DOMID_FIRST_RESERVED + 63) / 64];
    struct channel dom0_ports[DOM0_PORTS];
    struct domain domains[MAX_DOMAINS];
    struct domain_big big[MAX_DOMAINS];
};

/* machine.c: the mapped files of this process's world. */
extern struct machine *machine;
/* The array of the frames' owners: each element is the owner's domid plus 1, or 0 for a free frame. */
extern uint16_t *frame_owner;
/* The types of PV page tables, for each frame; see pv.c. */
extern uint8_t *frame_type;
/* The frame number that a PV guest has given to each machine frame. */
extern uint64_t *m2p;
extern struct run *runs;
extern struct node *nodes;
extern int memory_fd;
extern char world_dir[128];

/*
 * Maps the files of the world. Called without the lock. Returns true, or false with errno if there is no
 * world.
 */
bool machine_attach(void);
/*
 * Creates the machine. `capabilities` is a set of XEN_SYSCTL_PHYSCAP_*. Called without the lock. Returns
 * true, or false with errno.
 */
bool machine_create(const char *dir, uint64_t memory_mb, uint32_t capabilities);
void machine_lock(void);
void machine_unlock(void);
uint64_t now_ns(void); /* returns the time in ns on CLOCK_MONOTONIC; needs no lock */
/*
 * Converts a result to the form that the libraries return: for -errno returns -1 and sets errno. Needs no
 * lock.
 */
int result_of(long value);

/* domain.c */
/*
 * Returns the domain with this domid, or NULL if there is none. Before that, frees the domain if it is dead.
 */
struct domain *domain_get(uint32_t domid);
struct domain *domain_next(uint32_t domid); /* returns the first domain with this domid or a higher one */
struct domain_big *domain_big(const struct domain *d);
long domain_create(uint32_t *domid, const struct xen_domctl_createdomain *config);
long domain_destroy(struct domain *d);
void domain_shutdown(struct domain *d, uint8_t reason);
/* Notifies the process that simulates the guests that the domain has changed. */
void domain_changed(struct domain *d);
void domain_run(struct domain *d, bool running); /* starts or stops counting the domain's processor time */
void domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info);
bool domain_hold(struct domain *d, uint32_t maps);
void domain_unmapped(uint32_t domid, uint64_t serial, uint32_t maps);
static inline bool domain_is_hvm(const struct domain *d)
{
    return d->flags & XEN_DOMCTL_CDF_hvm;
}
static inline bool domain_runs(const struct domain *d)
{
    return d->state == DOMAIN_ALIVE && !d->pause_count && !d->shut_down;
}

/* frames.c: machine memory and guest physical memory */
/* Allocates `count` consecutive frames. Returns the first frame, or NO_FRAME. */
uint32_t frames_alloc(struct domain *d, uint32_t count);
void frame_free(struct domain *d, uint32_t frame);
void frames_free_all(struct domain *d);
/* Simulates a guest that gives back memory or takes more, up to its limit. */
void frames_balloon(struct domain *d, uint64_t pages);
/* Maps a guest frame to a machine frame; returns 0 or -errno. */
int gfn_set(struct domain *d, uint64_t gfn, uint32_t frame);
uint32_t gfn_get(const struct domain *d, uint64_t gfn);
/* Returns the machine frame for the frame number `number` that a toolstack passes to map memory. */
uint32_t frame_of(struct domain *d, uint64_t number);
/* Maps frames into this process; needs no lock. */
void *frames_map(void *addr, int prot, int flags, size_t count, const uint32_t *frames);

/*
 * on_demand.c: memory that is populated on demand. `gfn` is the number of a guest frame. pod_populate returns
 * the new machine frame, or NO_FRAME.
 */
/* Marks a guest frame as populated on demand; returns 0 or -errno. */
int pod_mark(struct domain *d, uint64_t gfn);
uint32_t pod_populate(struct domain *d, uint64_t gfn);
void pod_free(struct domain *d);
long pod_set_target(struct domain *d, xen_pod_target_t *target);
long pod_get_target(const struct domain *d, xen_pod_target_t *target);

/* pv.c */
/* Returns the greatest frame number of a PV guest, as its kernel has published it; 0: it has published none. */
uint64_t pv_max_gfn(const struct domain *d);
/* Returns the number of frames that m2p takes on a machine with `nr_frames` frames. */
uint32_t m2p_frames(uint32_t nr_frames);
/* Returns the frame with this number if it is one of m2p, or NO_FRAME. */
uint32_t m2p_frame(uint64_t number);
long m2p_list(struct xen_machphys_mfn_list *list);
long do_mmu_update(const mmu_update_t *updates, uint64_t count);
long do_mmuext_op(const struct mmuext_op *ops, uint64_t count);
/* Returns the type of a frame as XEN_DOMCTL_PFINFO_*. */
uint64_t frame_info(uint32_t frame);

/* log_dirty.c */
/* Notes that the guest has written into a page. */
void log_dirty_note(struct domain *d, uint64_t gfn);
long do_shadow_op(struct domain *d, struct xen_domctl_shadow_op *o);

/* channels.c: event channels. The functions return 0 or a port, or -errno. */
struct channel *channel_get(uint32_t domid, uint32_t port);
int channel_alloc(uint32_t domid);
long channel_bind_interdomain(uint16_t listener, uint32_t domid, uint32_t remote_domid, uint32_t remote_port);
long channel_bind_virq(uint16_t listener, uint32_t virq);
void channel_raise(uint32_t domid, uint32_t port);
long channel_notify(uint32_t domid, uint32_t port);
long channel_unmask(uint32_t domid, uint32_t port);
void channel_close(uint32_t domid, uint32_t port);
void channels_reset(uint32_t domid); /* closes all channels of a guest */
void virq_raise(uint32_t virq);

/* listeners.c */
/* The socket from which this process sends datagrams. It is not connected. */
extern int send_fd;
/* Called once for each process. Returns true, or false with errno. */
bool listeners_attach(void);
int listener_open(bool cloexec, uint16_t *listener); /* returns the handle's descriptor, or -errno */
/* Closes a handle; fd is -1 if the process of the handle has died. */
void listener_close(uint16_t listener, int fd);
void listener_queue(uint16_t listener, uint32_t domid, uint32_t port);
void listener_unqueue(uint16_t listener, uint32_t domid, uint32_t port);
/* Removes the datagram from the socket if the queue is empty. Call it after listener_unqueue. */
void listener_drain(uint16_t listener, int fd);
bool listener_pop(uint16_t listener, int fd, uint32_t *domid, uint32_t *port);

/*
 * faults.c. Call these functions without the lock. There is one exception: call fault_dying_ms with the lock.
 */
/* Reads the rules in the environment of this process. Ends the process if a rule is invalid. */
void fault_attach(void);
/* Counts the call, and sleeps if it is delayed. Returns 0, or the errno with which the call must fail. */
int fault_check(enum call call);
uint32_t fault_dying_ms(void); /* the least time in ms that a destroyed domain stays dying */

/* fault_spec.c */
struct fault_order { /* a parsed fault: a rule, or a new value for fault_dying_ms */
    struct fault rule;
    bool dying;
    uint32_t dying_ms;
};
/* Parses a fault. Returns true. If the text is wrong, writes an error message to `why` and returns false. */
bool fault_parse(const char *spec, struct fault_order *order, char why[256]);
void fault_format(const struct fault *rule, char text[128]);

/* behaviours.c: the behaviours of simulated drivers. */
/*
 * Parses a behaviour. `which`: the devices, as DOMID, DOMID/KIND or DOMID/KIND/NUMBER; the DOMID "all" means any domain.
 * `what`: the behaviour's name, or NAME=ARGUMENT. Called without the lock. Returns NULL, or an error message.
 */
const char *behaviour_parse(enum side side, const char *which, const char *what, struct behaviour *b);
/* Adds a behaviour; returns true, or false if there are too many behaviours. */
bool behaviour_set(const struct behaviour *b);
struct behaviour behaviour_of(enum side side, uint32_t domid, const char *kind, uint32_t number);

/*
 * trace.c. Call these functions without the lock. trace_domctl, trace_hvm_op and trace_memory_map write the
 * arguments of a hypercall as text.
 */
extern bool tracing;
void trace_open(void);
void trace_(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define TRACED_ARGUMENTS 400
void trace_domctl(const struct xen_domctl *domctl, char text[TRACED_ARGUMENTS]);
void trace_hvm_op(const struct xen_hvm_param *param, char text[TRACED_ARGUMENTS]);
void trace_memory_map(const struct xen_foreign_memory_map *map, char text[TRACED_ARGUMENTS]);
#define trace(...)                                                                                           \
    do {                                                                                                     \
        if (__builtin_expect(tracing, 0))                                                                    \
            trace_(__VA_ARGS__);                                                                             \
    } while (0)

/*
 * The functions for the hypercalls. Each is in a separate file. They return 0, a positive result or -errno.
 */
long do_domctl(struct xen_domctl *op);
/* The subcommands of do_domctl about vcpus, scheduling and triggers. */
long do_domctl_vcpu(struct domain *d, struct xen_domctl *op);
/* Sets the affinities of a new domain's vcpus to their defaults. */
void vcpus_reset(struct domain *d);
/* cpupool.c. cpupool_get returns NULL if there is no such cpupool. */
struct cpupool *cpupool_get(uint32_t id);
long do_cpupool(struct xen_sysctl_cpupool_op *o);
long do_sysctl(struct xen_sysctl *op);
long do_memory_op(unsigned int cmd, void *arg);
long do_event_channel_op(unsigned int cmd, void *arg);
long do_xen_version(unsigned int cmd, void *arg);
long do_hvm_op(unsigned int cmd, void *arg);
long hvm_get_context(struct domain *d, struct xen_domctl_hvmcontext *context);
long hvm_set_context(struct domain *d, const struct xen_domctl_hvmcontext *context);
uint32_t policy_of_host(xen_cpuid_leaf_t leaves[POLICY_LEAVES]);
long policy_get(struct domain *d, struct xen_domctl_cpu_policy *policy);
long policy_set(struct domain *d, const struct xen_domctl_cpu_policy *policy);
long policy_get_system(struct xen_sysctl_cpu_policy *policy);
long policy_get_featureset(struct xen_sysctl_cpu_featureset *set);

#endif
