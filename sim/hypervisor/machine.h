/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated machine: the state that all parts of the simulated hypervisor share.
 *
 * A world is a directory (AIOXEN_SIM_DIR) with two files that every process of the world maps: `machine` (struct
 * machine and the tables that follow it) and `memory` (a sparse file; byte n is byte n of the machine's memory).
 *
 * Lock: everything in struct machine is protected by machine->lock, a robust mutex shared by all processes.
 * The caller of a function declared here must hold it, unless the declaration says otherwise. No thread sleeps
 * while it holds the lock.
 * Lifetime: a process maps the files at their first use. They stay mapped until the process ends.
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
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "calls.h"
#include "host.h"

#define EXPORT __attribute__((visibility("default")))

#define MAX_DOMAINS     16384 /* that exist at the same time */
#define MAX_LISTENERS   4096  /* open event channel handles of all processes */
#define MAX_FAULTS      64    /* rules that apply to all processes */
#define DOM0_PORTS      65536
#define GUEST_PORTS     16
#define GRANT_FRAMES    4
#define POLICY_LEAVES   120 /* the only number that libxenguest 4.17 accepts */
#define POLICY_MSRS     16
#define HVM_CONTEXT_MAX 6144
#define DOM0_PAGES      131072
#define NR_CPUS         2
#define ALL_CPUS        ((1u << NR_CPUS) - 1)
#define ALL_NODES       ((1u << machine->nr_nodes_of_host) - 1)
#define AFFINITIES      128        /* vcpus with an affinity of their own */
#define NO_FRAME        0u         /* frame 0 is never allocated */
#define ON_DEMAND       UINT32_MAX /* in the tree of guest frames: memory is allocated at the first access */

enum channel_state { CHANNEL_FREE, CHANNEL_UNBOUND, CHANNEL_INTERDOMAIN, CHANNEL_VIRQ };

/* One end of an event channel. Port 0 of a guest is not a channel: it is raised to notify the player that the
 * domain has changed. */
struct channel {
    uint8_t state;
    uint8_t virq;
    bool masked, pending, queued;
    uint16_t remote_domid; /* of an unbound channel: the domain that may bind to it */
    uint16_t listener;     /* its descriptor becomes readable when the port is raised; 0: none */
    uint32_t remote_port;
    uint32_t next; /* of a queued channel: the key of the next one, 0 at the end */
};

/* An open event channel handle: a datagram socket, and a queue of ports linked through their channels. The
 * socket holds one datagram while the queue is not empty, and none otherwise. */
struct listener {
    bool used;
    pid_t pid;
    uint64_t id; /* the name of the socket */
    uint32_t head, tail;
};

/* Consecutive frames that were allocated to one domain. Some of them may have been freed since. */
struct run {
    uint32_t first, count;
    uint32_t next; /* index, 0 at the end */
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

/* A process that maps memory of a domain by grants. A dying domain exists until its last holder has unmapped it. */
#define MAX_HOLDERS 4
struct holder {
    pid_t pid;
    uint32_t maps;
};

struct domain {
    /* A list of all domains reads only these fields: two cache lines. */
    _Alignas(64) uint64_t serial; /* unique: distinguishes domains that had the same domid */
    uint16_t domid;
    uint8_t state;
    bool shut_down, started, running, debugged, address32, driver;
    uint8_t shutdown_code;
    uint32_t pause_count, flags, ssidref, cpupool;
    uint32_t max_vcpus, online_vcpus;
    xen_domain_handle_t handle;
    struct xen_arch_domainconfig arch;
    uint64_t max_pages, tot_pages, claimed;
    uint64_t run_since_ns, cpu_ns;
    uint32_t shared_info;
    /* Other fields. */
    uint64_t max_gfn, gone_ns;
    uint64_t pod_entries, pod_cache; /* on_demand.c */
    int64_t ballooned;               /* frames that the guest has taken, or given back if negative */
    uint64_t paging_pool;
    uint32_t shadow_mb, tsc_mode;
    uint32_t max_port;    /* the highest event channel */
    uint16_t weight, cap; /* of the scheduler */
    uint8_t nodes;        /* the node affinity: one bit for each node */
    uint32_t triggers;    /* that were sent: one bit for each XEN_DOMCTL_SENDTRIGGER_* */
    int32_t time_offset;
    uint64_t cr3, start_info; /* PV only: registers of vcpu 0 at its start */
    uint32_t grant_frame[GRANT_FRAMES];
    uint32_t runs, tree;
    struct holder holders[MAX_HOLDERS];
    uint64_t hvm_params[HVM_NR_PARAMS];
    struct channel ports[GUEST_PORTS];
    uint32_t hvm_context_size, nr_leaves; /* used parts of struct domain_big */
};

/* Large fields that are seldom read are stored separately, so that a list of all domains reads little memory. */
struct domain_big {
    char hvm_context[HVM_CONTEXT_MAX];
    xen_cpuid_leaf_t leaves[POLICY_LEAVES];
    uint8_t hard[AFFINITIES], soft[AFFINITIES]; /* affinities of vcpus: one bit for each processor */
};

struct fault {
    uint32_t id;   /* 0: free */
    uint16_t call; /* enum call */
    pid_t pid;     /* 0: every process */
    int error;
    uint32_t delay_ms;
    uint64_t first, last, every; /* fails every `every`-th of the calls first to last, counted by `seen` */
    uint64_t seen, hits;
};

/* How a driver behaves: the device player in sim/devices obeys it. The last one that fits a device counts. */
enum side { BACKEND = 1, FRONTEND = 2, QEMU = 4 };
enum conduct { PLAYS, MUTE, SLOW, FAILS, REFUSES, DELETES, DELETES_EARLY, NONSENSE };
#define MAX_BEHAVIOURS 256
#define ANY_DOMAIN     UINT16_MAX
struct behaviour {
    uint8_t side, conduct;
    uint16_t domid;  /* of the guest, or ANY_DOMAIN */
    int32_t number;  /* of the device; -1: any */
    uint32_t amount; /* milliseconds, or a number of values */
    char kind[12];   /* "": any */
    char text[72];
};

struct machine {
    uint64_t magic, world;
    pthread_mutex_t lock;
    uint32_t capabilities; /* XEN_SYSCTL_PHYSCAP_*: what createdomain accepts */
    uint32_t nr_frames, free_frames, next_frame;
    uint32_t nr_runs, next_run, free_run;
    uint32_t nr_nodes, next_node, free_node;
    uint32_t next_slot, nr_domains;
    uint16_t next_domid, top_domid;
    uint64_t next_serial, next_listener;
    uint16_t player; /* the listener of the process that plays the guests; 0: none */
    pid_t devices;   /* the process that plays drivers, which looks for driver domains at SIGUSR1; 0: none */
    uint32_t low_port, top_port;
    uint32_t virq_port[NR_VIRQS];
    uint32_t dying_ms, next_fault, nr_faults;
    uint32_t ratelimit_us;     /* of the scheduler credit2 */
    uint32_t nr_nodes_of_host; /* NUMA nodes; processor N is on node N modulo this number */
    uint64_t calls[NR_CALLS];  /* atomic; the lock is not needed */
    struct fault faults[MAX_FAULTS];
    uint32_t nr_behaviours;
    struct behaviour behaviours[MAX_BEHAVIOURS];
    struct host host;
    struct listener listeners[MAX_LISTENERS];          /* [0] is never used */
    uint16_t slot_of[DOMID_FIRST_RESERVED];            /* 0: no such domain, else its index + 1 */
    uint64_t domids[(DOMID_FIRST_RESERVED + 63) / 64]; /* one bit for each domid in slot_of */
    struct channel dom0_ports[DOM0_PORTS];
    struct domain domains[MAX_DOMAINS];
    struct domain_big big[MAX_DOMAINS];
};

/* machine.c: the mapped files of this process's world */
extern struct machine *machine;
extern uint16_t *frame_owner; /* domid + 1, 0: free */
extern struct run *runs;
extern struct node *nodes;
extern int memory_fd;
extern char world_dir[128];

bool machine_attach(void); /* without the lock; false: there is no world, errno is set */
/*
 * Creates the machine. `capabilities` has bits XEN_SYSCTL_PHYSCAP_*. Returns false with errno. Call it without the
 * lock.
 */
bool machine_create(const char *dir, uint64_t memory_mb, uint32_t capabilities);
void machine_lock(void);
void machine_unlock(void);
uint64_t now_ns(void);     /* CLOCK_MONOTONIC; lock not needed */
int result_of(long value); /* converts -errno to -1 and errno, as the libraries return it; lock not needed */

/* domain.c */
struct domain *domain_get(uint32_t domid);  /* NULL: there is no such domain; frees a dead one first */
struct domain *domain_next(uint32_t domid); /* the first domain with this domid or a higher one */
struct domain_big *domain_big(const struct domain *d);
long domain_create(uint32_t *domid, const struct xen_domctl_createdomain *config);
long domain_destroy(struct domain *d);
void domain_shutdown(struct domain *d, uint8_t reason);
void domain_changed(struct domain *d);           /* notifies the player */
void domain_run(struct domain *d, bool running); /* starts or stops counting its CPU time */
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
uint32_t frames_alloc(struct domain *d,
                      uint32_t count); /* the first of `count` consecutive frames, or NO_FRAME */
void frame_free(struct domain *d, uint32_t frame);
void frames_free_all(struct domain *d);
void frames_balloon(struct domain *d,
                    uint64_t pages); /* the guest gives memory back or takes more, up to its limit */
int gfn_set(struct domain *d, uint64_t gfn, uint32_t frame); /* 0 or -errno */
uint32_t gfn_get(const struct domain *d, uint64_t gfn);
uint32_t frame_of(struct domain *d, uint64_t number); /* the frame that a toolstack maps by this number */
void *frames_map(void *addr, int prot, int flags, size_t count, const uint32_t *frames); /* lock not needed */

/*
 * on_demand.c. pod_mark and pod_populate take the number of a guest frame. pod_populate returns its new frame, or
 * NO_FRAME.
 */
int pod_mark(struct domain *d, uint64_t gfn); /* 0 or -errno */
uint32_t pod_populate(struct domain *d, uint64_t gfn);
void pod_free(struct domain *d);
long pod_set_target(struct domain *d, xen_pod_target_t *target);
long pod_get_target(const struct domain *d, xen_pod_target_t *target);

/* channels.c: event channels; 0 or a port, or -errno */
struct channel *channel_get(uint32_t domid, uint32_t port);
int channel_alloc(uint32_t domid);
long channel_bind_interdomain(uint16_t listener, uint32_t domid, uint32_t remote_domid, uint32_t remote_port);
long channel_bind_virq(uint16_t listener, uint32_t virq);
void channel_raise(uint32_t domid, uint32_t port);
long channel_notify(uint32_t domid, uint32_t port);
long channel_unmask(uint32_t domid, uint32_t port);
void channel_close(uint32_t domid, uint32_t port);
void virq_raise(uint32_t virq);

/* listeners.c */
extern int send_fd;                                  /* an unconnected datagram socket of this process */
bool listeners_attach(void);                         /* once per process; false: errno */
int listener_open(bool cloexec, uint16_t *listener); /* returns the descriptor, or -errno */
void listener_close(uint16_t listener, int fd);      /* fd is -1 if the owner has died */
void listener_queue(uint16_t listener, uint32_t domid, uint32_t port);
void listener_unqueue(uint16_t listener, uint32_t domid, uint32_t port);
void listener_drain(uint16_t listener,
                    int fd); /* call it after unqueueing: removes the datagram of an empty queue */
bool listener_pop(uint16_t listener, int fd, uint32_t *domid, uint32_t *port);

/* faults.c; without the lock, except fault_dying_ms */
void fault_attach(
    void); /* reads the rules in this process's environment; ends the process if one is invalid */
int fault_check(
    enum call call); /* counts the call, sleeps for its delay; returns 0, or the errno with which it fails */
uint32_t fault_dying_ms(void); /* for how long a destroyed domain stays dying at least */

/* fault_spec.c */
struct fault_order { /* one parsed specification: a rule, or a time of dying */
    struct fault rule;
    bool dying;
    uint32_t dying_ms;
};
bool fault_parse(const char *spec, struct fault_order *order,
                 char why[256]); /* false: `why` is the error message */
void fault_format(const struct fault *rule, char text[128]);

/* behaviours.c */
const char *behaviour_parse(enum side side, const char *which, const char *what,
                            struct behaviour *b); /* without the lock; returns what is wrong, or NULL */
bool behaviour_set(const struct behaviour *b);    /* false: there are too many */
struct behaviour behaviour_of(enum side side, uint32_t domid, const char *kind, uint32_t number);

/* trace.c; without the lock */
extern bool tracing;
void trace_open(void);
void trace_(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define trace(...)                                                                                           \
    do {                                                                                                     \
        if (__builtin_expect(tracing, 0))                                                                    \
            trace_(__VA_ARGS__);                                                                             \
    } while (0)

/* The hypercalls, one file each. They return 0, a positive result or -errno. */
long do_domctl(struct xen_domctl *op);
long do_domctl_vcpu(struct domain *d,
                    struct xen_domctl *op); /* the subcommands of do_domctl about vcpus and scheduling */
void vcpus_reset(struct domain *d);         /* gives the vcpus of a new domain their affinities */
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
